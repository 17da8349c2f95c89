# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What differs between two states of an object, as a person wants to read it.

Only the fields that differ are kept. An element of a list that can be told by a key keeps that key beside what differs
in it; other lists that differ are shown whole. What the API server writes for itself is left out, what is secret is
hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .fields import joined, known
from .redact import LAST_APPLIED, redact_pair

_NOISE: Final = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")

# The fields by which elements are told apart, the first that fits all of them.
_TELLING_KEYS: Final = (
    ("name",),
    ("port", "protocol"),
    ("port",),
    ("containerPort", "protocol"),
    ("containerPort",),
    ("mountPath",),
    ("key",),
    ("type",),
    ("ip",),
)

_SAME: Final = object()


@dataclass(frozen=True)
class Difference:
    """Both states reduced to what differs, and the paths of the fields that do."""

    before: Any = field(default_factory=dict)
    after: Any = field(default_factory=dict)
    paths: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.paths)


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Difference:
    """Compare two states of an object; None is an object that does not exist, of which the other state shows all."""
    old, new = redact_pair(essential(before or {}), essential(after or {}))
    paths: list[str] = []
    reduced = _reduced(old, new, "", paths)
    if reduced is _SAME:
        return Difference()
    old_part, new_part = reduced
    return Difference(old_part, new_part, tuple(paths))


def essential(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without its status and without what the API server and kubectl note in it."""
    kept = {key: value for key, value in document.items() if key != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, Mapping):
        kept["metadata"] = {key: value for key, value in metadata.items() if key not in _NOISE}
        annotations = metadata.get("annotations")
        if isinstance(annotations, Mapping):
            kept["metadata"]["annotations"] = {key: value for key, value in annotations.items() if key != LAST_APPLIED}
            if not kept["metadata"]["annotations"]:
                del kept["metadata"]["annotations"]
    return kept


def _reduced(before: Any, after: Any, path: str, paths: list[str]) -> Any:
    """Return a pair of what differs, or _SAME; note the path of each field that does."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _reduced_mapping(before, after, path, paths)
    if isinstance(before, list) and isinstance(after, list):
        keys = _telling_keys([*before, *after], before, after)
        if keys:
            return _reduced_elements(before, after, keys, path, paths)
    if type(before) is type(after) and before == after:
        return _SAME
    paths.append(path)
    return before, after


def _reduced_mapping(before: Mapping[str, Any], after: Mapping[str, Any], path: str, paths: list[str]) -> Any:
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    for key in [*before, *(key for key in after if key not in before)]:
        here = joined(path, key)
        if key not in after:
            old[key] = before[key]
            paths.append(here)
        elif key not in before:
            new[key] = after[key]
            paths.append(here)
        else:
            inner = _reduced(before[key], after[key], here, paths)
            if inner is not _SAME:
                old[key], new[key] = inner
    return (old, new) if old or new else _SAME


def _telling_keys(elements: Sequence[Any], *lists: Sequence[Any]) -> tuple[str, ...]:
    """Return the fields that tell the elements of each list apart, none where there are no such fields."""
    for keys in _TELLING_KEYS:
        if not all(isinstance(item, Mapping) and all(key in item for key in keys) for item in elements):
            continue
        if all(len({str(_values(item, keys)) for item in one}) == len(one) for one in lists):
            return keys
    return ()


def _values(item: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item[key] for key in keys)


def _reduced_elements(before: list[Any], after: list[Any], keys: tuple[str, ...], path: str, paths: list[str]) -> Any:
    old_by_key = {str(_values(item, keys)): item for item in before}
    new_by_key = {str(_values(item, keys)): item for item in after}
    old: list[Any] = []
    new: list[Any] = []
    for name in [*old_by_key, *(name for name in new_by_key if name not in old_by_key)]:
        one, other = old_by_key.get(name), new_by_key.get(name)
        some = known(one if one is not None else other)
        identity = {key: some[key] for key in keys}
        here = f"{path}[{','.join(f'{key}={value}' for key, value in identity.items())}]"
        if one is None or other is None:
            (old if other is None else new).append(some)
            paths.append(here)
            continue
        inner = _reduced(one, other, here, paths)
        if inner is not _SAME:
            old.append({**identity, **inner[0]})
            new.append({**identity, **inner[1]})
    return _order_only(before, after, path, paths) if not old and not new else (old, new)


def _order_only(before: list[Any], after: list[Any], path: str, paths: list[str]) -> Any:
    if before == after:
        return _SAME
    paths.append(path)
    return before, after
