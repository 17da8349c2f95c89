# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Templates that give something else each time: random passwords, new certificates.

A chart is rendered twice. What differs would be changed in the cluster by every run, so it is made once and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._errors import InputError
from ..._kube.manifest import Manifest, digest_of

# Kinds that hold what was made up, and kinds that must fit to a certificate that was.
_MADE_ONCE = frozenset({"APIService", "MutatingWebhookConfiguration", "Secret", "ValidatingWebhookConfiguration"})


def steadied(first: Sequence[Manifest], second: Sequence[Manifest], origin: str) -> list[Manifest]:
    """The first of two renderings, with everything that differs in the second made fit to stay."""
    others = {manifest.identity: manifest for manifest in second}
    changing = {manifest.identity for manifest in first} ^ set(others)
    if changing:
        raise InputError(
            f"{origin} gives objects with other names each time it is rendered, for example {min(changing)};"
            " set the name in values"
        )
    differing = [each for each in first if each is not others[each.identity] and each != others[each.identity]]
    if not differing:
        return list(first)
    seal = digest_of([_common(each.content, others[each.identity].content) for each in first])
    steady = {each.identity: _steady(each, others[each.identity], seal, origin) for each in differing}
    return [steady.get(each.identity, each) for each in first]


def _steady(manifest: Manifest, other: Manifest, seal: str, origin: str) -> Manifest:
    if manifest.kind in _MADE_ONCE:
        return replace(manifest, create_only=True)
    content: Any = _sealed(manifest.content, other.content, seal, ())
    if digest_of(content) != digest_of(_sealed(other.content, manifest.content, seal, ())):
        path = ".".join(_difference(content, _sealed(other.content, manifest.content, seal, ())))
        raise InputError(
            f"{origin}: {manifest.identity} gets another {path} each time it is rendered, so every run would change it;"
            " set it in values"
        )
    return manifest.with_content(content)


def _sealed(value: Any, other: Any, seal: str, path: tuple[str, ...]) -> Any:
    """A value in which annotations that differ (checksums of made up passwords) depend on everything else instead."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return {key: _sealed(part, other.get(key), seal, (*path, key)) for key, part in value.items()}
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return [_sealed(part, twin, seal, path) for part, twin in zip(value, other, strict=True)]
    is_annotation = path[-2:-1] == ("annotations",)
    return seal if is_annotation and isinstance(other, str) and value != other else value


def _common(value: Any, other: Any) -> Any:
    """What both renderings agree about."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return {key: _common(part, other.get(key)) for key, part in value.items()}
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return [_common(part, twin) for part, twin in zip(value, other, strict=True)]
    return value if value == other else None


def _difference(value: Any, other: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        for key in value:
            if key not in other or value[key] != other[key]:
                return (str(key), *_difference(value[key], other.get(key)))
    if isinstance(value, list) and isinstance(other, list):
        for number, (part, twin) in enumerate(zip(value, other, strict=False)):
            if part != twin:
                return (str(number), *_difference(part, twin))
    return ()
