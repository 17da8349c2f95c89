# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A package: what the operator asked for, as a value.

What reads an option that most packages do not have is loaded when one has it: a module is sent as source, and
compiling everything takes longer than a run that has nothing to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._errors import InputError
from .._kube.graph import circle, ordered
from .._kube.near_miss import did_you_mean
from .options import Options, choice, flag, list_of, mapping_of, scalar_text, text, texts, whole_number
from .sources.source import Source, is_template, read_source

if TYPE_CHECKING:
    from .._kube.change.claims import Claim
    from .customise.generate import Generated
    from .customise.healthy import Healthy
    from .customise.patches import Patch
    from .render.values import Values

_NOTHING: tuple[str, ...] = ()
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")


@dataclass(frozen=True)
class Package:
    """One package, checked; nothing has been fetched yet."""

    name: str
    state: str = "present"
    source: Source | None = None
    values: Values = ()
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    config_maps: tuple[Generated, ...] = ()
    secrets: tuple[Generated, ...] = ()
    patches: tuple[Patch, ...] = ()
    depends_on: tuple[str, ...] = ()
    wait: bool = True
    wait_timeout: int = 300
    healthy: tuple[Healthy, ...] = ()
    prune: bool = True
    prune_also: frozenset[str] = frozenset()
    force: tuple[Claim, ...] = ()
    recreate: bool = False
    on_failure: str = "stop"

    @property
    def is_wanted(self) -> bool:
        return self.state != "absent"


def read_package(content: Any, place: str) -> Package:
    """Check one entry of the operator's list."""
    named = isinstance(content, Mapping) and isinstance(content.get("name"), str)
    options = Options(content, f"package {content['name']}" if named else place)
    name = options.need("name", _package_name)
    package = Package(
        name=name,
        state=options.take("state", choice("present", "absent", "previous"), "present"),
        source=options.take("source", read_source, None),
        values=options.take("values", _values, ()),
        namespace=options.take("namespace", text, ""),
        labels=options.take("labels", mapping_of(scalar_text), {}),
        annotations=options.take("annotations", mapping_of(scalar_text), {}),
        images=options.take("images", mapping_of(text), {}),
        replicas=options.take("replicas", mapping_of(whole_number), {}),
        config_maps=options.take("config_maps", _generated("ConfigMap"), ()),
        secrets=options.take("secrets", _generated("Secret"), ()),
        patches=options.take("patches", _patches, ()),
        depends_on=options.take("depends_on", texts, _NOTHING),
        wait=options.take("wait", flag, True),
        wait_timeout=options.take("wait_timeout", whole_number, 300),
        healthy=options.take("healthy", _healthy, ()),
        prune=options.take("prune", flag, True),
        prune_also=frozenset(options.take("prune_also", texts, _NOTHING)),
        force=options.take("force", read_claims, ()),
        recreate=options.take("recreate", flag, False),
        on_failure=options.take("on_failure", choice("stop", "rollback"), "stop"),
    )
    options.finish()
    if package.state == "present" and package.source is None and not package.config_maps and not package.secrets:
        raise options.fail("source is missing: say where its objects come from, for example source: {directory: ...}")
    if package.state == "present" and package.values and not is_template(package.source):
        raise options.fail("values are for templates (helm, chart, jsonnet, ytt), and this source has none")
    return package


def _values(value: Any, place: str) -> Values:
    from .render.values import read_values  # noqa: PLC0415  # see above, as the other imports like it

    return read_values(value, place)


def _generated(kind: str) -> Callable[[Any, str], tuple[Generated, ...]]:
    def read(value: Any, place: str) -> tuple[Generated, ...]:
        from .customise.generate import read_generated  # noqa: PLC0415

        return list_of(read_generated(kind))(value, place)

    return read


def _patches(value: Any, place: str) -> tuple[Patch, ...]:
    from .customise.patches import read_patch  # noqa: PLC0415

    return list_of(read_patch)(value, place)


def _healthy(value: Any, place: str) -> tuple[Healthy, ...]:
    from .customise.healthy import read_healthy  # noqa: PLC0415

    return list_of(read_healthy)(value, place)


def read_claims(value: Any, place: str) -> tuple[Claim, ...]:
    """True for every field, false for none, or a list of who is overruled about which fields."""
    from .._kube.change.claims import EVERYTHING  # noqa: PLC0415

    if not isinstance(value, list):
        return EVERYTHING if flag(value, place) else ()
    return list_of(_read_claim)(value, place)


def _read_claim(value: Any, place: str) -> Claim:
    from .._kube.change.claims import Claim  # noqa: PLC0415

    options = Options(value, place)
    claim = Claim(options.take("manager", text, ""), options.take("fields", texts, ()))
    options.finish()
    if claim == Claim():
        raise options.fail("manager, fields or both are missing; to take over everything write force: true")
    return claim


def _package_name(value: Any, place: str) -> str:
    name = text(value, place)
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{place} is {name!r}; a package is named with small letters, digits and dashes, up to 52 of them"
        )
    return name


def read_packages(contents: Sequence[Any], *, only: Sequence[str] = ()) -> tuple[Package, ...]:
    """Check the operator's whole list, even where only some of it is asked for, and put it in order."""
    packages = tuple(read_package(content, f"packages[{number}]") for number, content in enumerate(contents))
    by_name: dict[str, Package] = {}
    for package in packages:
        if package.name in by_name:
            raise InputError(f"package {package.name} is listed twice; remove one of the two")
        by_name[package.name] = package
    for name in only:
        if name not in by_name:
            raise InputError(f"no package is named {name!r}; {did_you_mean(name, by_name)}")
    ordered = in_order(by_name)
    return tuple(package for package in ordered if not only or package.name in only)


def in_order(by_name: Mapping[str, Package]) -> tuple[Package, ...]:
    """Every package behind those it depends on; otherwise in the order they are listed."""
    for package in by_name.values():
        for needed in package.depends_on:
            if needed not in by_name:
                raise InputError(
                    f"package {package.name}: depends_on names {needed!r}, which is no package;"
                    f" {did_you_mean(needed, by_name)}"
                )
    dependencies = {name: package.depends_on for name, package in by_name.items()}
    found = circle(dependencies)
    if found:
        way = " -> ".join(found)
        raise InputError(f"packages depend on each other in a circle: {way}; remove one depends_on of it")
    return tuple(by_name[name] for name in ordered(dependencies))
