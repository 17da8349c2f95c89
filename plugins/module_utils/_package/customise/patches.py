# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Patches on the objects of a package; one that meets nothing is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._errors import InputError
from ..._kube.manifest import Manifest
from ..._kube.patch.json_patch import json_patch
from ..._kube.patch.set_path import set_path
from ..._kube.patch.shapes import Definitions, shape_of
from ..._kube.patch.strategic import strategic_merge
from ..._kube.query import Query
from ..._kube.resources import is_definition
from ..._kube.selector import Selector, parse_selector
from ..._kube.targets import Target, check_pattern, near_misses
from ..options import Options, Value, anything, flag, list_of, mapping_of, text, tree

_KINDS = ("merge", "json", "set", "remove")
_TARGET_FIELDS = ("group", "version", "kind", "name", "namespace")


@dataclass(frozen=True)
class Patch:
    """One patch, checked. `place` says where the operator wrote it."""

    place: str
    kind: str
    content: Any
    target: Target


def read_patch(value: Any, place: str) -> Patch:
    options = Options(value, place)
    kinds = [kind for kind in _KINDS if options.has(kind)]
    if len(kinds) != 1:
        raise options.fail(f"must have exactly one of {', '.join(_KINDS)}, has {', '.join(kinds) or 'none'}")
    readers: Mapping[str, Any] = {
        "merge": tree,
        "json": list_of(tree),
        "set": mapping_of(anything),
        "remove": flag,
    }
    content = options.need(kinds[0], readers[kinds[0]])
    where = options.take("where", text, "")
    target = options.take("target", read_target, Target())
    options.finish()
    if where:
        target = replace(target, where=Query(where, f"{place}: where"))
    if not str(target):
        if kinds[0] != "merge" or "kind" not in content:
            raise options.fail("target is missing: say which objects, for example {kind: Deployment, name: web}")
        target = _target_of(content)
    return Patch(place, kinds[0], content, target)


def read_target(value: Any, place: str) -> Target:
    options = Options(value, place)
    patterns = {name: options.take(name, _checked(check_pattern), "") for name in _TARGET_FIELDS}
    labels = options.take("labels", _checked(parse_selector), Selector())
    annotations = options.take("annotations", _checked(parse_selector), Selector())
    options.finish()
    return Target({name: pattern for name, pattern in patterns.items() if pattern}, labels, annotations)


def _checked(read: Callable[[str], Value]) -> Callable[[Any, str], Value]:
    """Read text further; what is wrong with it is told with its place."""

    def reader(value: Any, place: str) -> Value:
        written = text(value, place)
        try:
            return read(written)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None

    return reader


def _target_of(content: Mapping[str, Any]) -> Target:
    """A merge patch that is written like an object says itself which one it is for."""
    metadata = content.get("metadata") or {}
    stated = {"kind": content["kind"], "name": metadata.get("name"), "namespace": metadata.get("namespace")}
    return Target({key: re.escape(value) for key, value in stated.items() if value})


def apply_patches(manifests: Sequence[Manifest], patches: Iterable[Patch]) -> list[Manifest]:
    """Apply all patches in order."""
    result = list(manifests)
    definitions = _definitions(manifests)
    for patch in patches:
        met = [manifest for manifest in result if patch.target.fits(manifest.content)]
        if not met:
            close = near_misses(patch.target, [manifest.content for manifest in result])
            raise InputError(f"{patch.place}: no object matches {patch.target}; {close}")
        chosen = {id(manifest) for manifest in met}
        results = (_patch_one(each, patch, definitions) if id(each) in chosen else each for each in result)
        result = [manifest for manifest in results if manifest is not None]
    return result


def _definitions(manifests: Iterable[Manifest]) -> Definitions:
    return {
        (each.content["spec"]["group"], each.content["spec"]["names"]["kind"]): each.content
        for each in manifests
        if is_definition(each)
    }


def patched(content: Mapping[str, Any], patch: Patch, definitions: Definitions) -> Mapping[str, Any] | None:
    """One object with a patch applied, whatever its target; None where the patch removes it."""
    if patch.kind == "remove":
        return None if patch.content else content
    if patch.kind == "merge":
        return strategic_merge(content, patch.content, shape_of(content, definitions))
    if patch.kind == "json":
        changed: Mapping[str, Any] = json_patch(content, patch.content)
        return changed
    result: Mapping[str, Any] = content
    for path, value in patch.content.items():
        result = set_path(result, path, value)
    return result


def _patch_one(manifest: Manifest, patch: Patch, definitions: Definitions) -> Manifest | None:
    try:
        changed = patched(manifest.content, patch, definitions)
    except InputError as error:
        raise InputError(f"{patch.place}: {manifest.identity}: {error}") from error
    return None if changed is None else manifest.with_content(changed)
