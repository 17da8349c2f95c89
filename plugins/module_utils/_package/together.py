# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Several packages at once, as far as depends_on lets them.

First all of them are rendered and compared with each other, then each is carried out as soon as all that it depends on
is done. A package that fails stops those that depend on it and no other; the error at the end tells all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from .._errors import ClusterError, HearthError, InputError
from .._kube.change.steps import Plan
from .._kube.manifest import Identity
from .._kube.parallel import along
from .draft import NOTHING_COMES, Coming, Rendered, brought_by
from .install import Installer, Outcome
from .package import Package

# Each of them sends several requests at once by itself.
_AT_ONCE = 4


@dataclass(frozen=True)
class _Prepared:
    """A rendered package, or why it could not be; `coming` is what it and all before it bring."""

    package: Package
    rendered: Rendered = Rendered()  # noqa: RUF009  it is frozen
    coming: Coming = NOTHING_COMES
    error: HearthError | None = None


def run_together(installer: Installer, packages: Sequence[Package]) -> list[Outcome]:
    """Run packages that are in an order of their dependencies; outcomes in the same order."""
    if len(packages) == 1:
        return [_outcome_of(installer, _Prepared(packages[0]), None, NOTHING_COMES)]
    by_name = {package.name: package for package in packages}
    dependencies = _what_waits_for_what(packages)

    def prepare(name: str, needed: list[_Prepared]) -> _Prepared:
        return _prepare(installer, by_name[name], _all_of(each.coming for each in needed))

    prepared = {each.package.name: each for each in along(dependencies, prepare, at_once=_AT_ONCE)}
    _refuse_shared(prepared.values())

    def carry_out(name: str, needed: list[Outcome]) -> Outcome:
        failed = [outcome.package.name for outcome in needed if outcome.error is not None]
        one = prepared[name]
        if failed:
            return _not_tried(one.package, failed)
        before = _all_of(prepared[each].coming for each in one.package.depends_on if each in prepared)
        return _outcome_of(installer, one, one.rendered, before)

    return along(dependencies, carry_out, at_once=_AT_ONCE)


def _what_waits_for_what(packages: Sequence[Package]) -> dict[str, list[str]]:
    """What is removed goes before what it depends on; what stays or comes is there after what it depends on."""
    by_name = {package.name: package for package in packages}
    waits: dict[str, list[str]] = {package.name: [] for package in packages}
    for package in packages:
        for needed in (by_name[name] for name in package.depends_on if name in by_name):
            if package.is_wanted:
                waits[package.name].append(needed.name)
            elif not needed.is_wanted:
                waits[needed.name].append(package.name)
    return waits


def _all_of(coming: Iterable[Coming]) -> Coming:
    return reduce(Coming.__or__, coming, NOTHING_COMES)


def _prepare(installer: Installer, package: Package, before: Coming) -> _Prepared:
    try:
        catalogue = installer.cluster.catalogue().with_definitions(before.definitions)
        rendered = installer.render(package, catalogue)
    except HearthError as error:
        return _Prepared(package, coming=before, error=error)
    return _Prepared(package, rendered, before | brought_by(rendered.manifests))


def _outcome_of(installer: Installer, one: _Prepared, rendered: Rendered | None, before: Coming) -> Outcome:
    if one.error is not None:
        return _failed(one.package, one.error)
    try:
        return installer.run(one.package, rendered, before)
    except HearthError as error:
        return _failed(one.package, error)


def _failed(package: Package, error: HearthError) -> Outcome:
    return Outcome(package, Plan(package.name), error=error)


def _not_tried(package: Package, failed: Sequence[str]) -> Outcome:
    which = " and ".join(failed)
    error = ClusterError(f"package {package.name}: not tried, because {which} failed", reason="dependency")
    return _failed(package, error)


def _refuse_shared(prepared: Iterable[_Prepared]) -> None:
    """One object in two packages would go from one to the other with every run."""
    owners: dict[Identity, tuple[str, str]] = {}
    shared = []
    for one in prepared:
        for manifest in one.rendered.manifests:
            owner, origin = owners.setdefault(manifest.identity, (one.package.name, manifest.origin))
            if owner != one.package.name:
                shared.append(f"- {manifest.identity}: {owner} ({origin}) and {one.package.name} ({manifest.origin})")
    if shared:
        told = "\n".join(shared[:10]) + (f"\nand {len(shared) - 10} more" if len(shared) > 10 else "")
        raise InputError(
            f"nothing was changed, because packages have objects in common; take each out of one of the two, for"
            f" example with a patch that has remove: true:\n{told}",
            reason="shared",
        )
