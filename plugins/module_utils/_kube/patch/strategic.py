# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Strategic merge patch, as kustomize and kubectl apply it.

Mappings merge by key and null removes, as in RFC 7386. A list whose elements have merge keys is merged element by
element; a list that is a set is united; every other list is replaced. A kind without any merge keys therefore gets
plain RFC 7386.

Directives: ``$patch: replace | delete | merge`` in a mapping, in an element, or as an element of its own for the whole
list; ``$deleteFromPrimitiveList/FIELD``, ``$setElementOrder/FIELD`` and ``$retainKeys`` beside the fields. As in
kustomize, a deleted mapping is gone and not left behind empty.

New elements come before those that only the object has, unless append is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ..._errors import InputError
from ..fields import joined, with_text_keys
from .merge_order import Identity, Slot, agrees, arranged, rank_by
from .shapes import PLAIN, Shape

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_VALUES: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"

_GONE: Final = object()


def strategic_merge(
    document: Mapping[str, Any], patch: Mapping[str, Any], shape: Shape, *, append: bool = False
) -> dict[str, Any] | None:
    """Return the patched object, None where the patch deletes it; the arguments stay as they are."""
    merged: Any = _Merge(append).mapping(document, with_text_keys(patch), shape, "")
    return None if merged is _GONE else merged


class _Merge:
    """One run over an object; its methods return the merged value, or _GONE where the patch removes it."""

    def __init__(self, append: bool) -> None:
        self._append = append

    def mapping(self, original: Mapping[str, Any], patch: Mapping[str, Any], shape: Shape, path: str) -> Any:
        directive = _directive(patch, path)
        if directive == "delete":
            return _GONE
        starts_empty = directive == "replace" or shape.replaced
        merged = {} if starts_empty else _retained(original, patch, path)
        for name in _named_fields(patch):
            value = self._field(merged.get(name), patch, name, shape.of(name), joined(path, name))
            if value is _GONE:
                merged.pop(name, None)
            elif name in patch or name in merged:
                merged[name] = value
        return merged

    def _field(self, original: Any, patch: Mapping[str, Any], name: str, shape: Shape, path: str) -> Any:
        """Merge one field with all that the patch says about it: its value, and the directives beside it."""
        unwanted, order = patch.get(_DELETE_VALUES + name), patch.get(_ORDER + name)
        if isinstance(original, list) and isinstance(unwanted, list):
            original = [item for item in original if _single(item) not in map(_single, unwanted)]
        if name in patch:
            return self._value(original, patch[name], order, shape, path)
        return self._list(original, [], order, shape, path) if order and isinstance(original, list) else original

    def _value(self, original: Any, value: Any, order: Any, shape: Shape, path: str) -> Any:
        if value is None:
            return _GONE
        if isinstance(value, Mapping):
            return self.mapping(original if isinstance(original, Mapping) else {}, value, shape, path)
        if isinstance(value, list):
            return self._list(original if isinstance(original, list) else [], value, order, shape, path)
        return value

    def _list(self, original: list[Any], patch: list[Any], order: Any, shape: Shape, path: str) -> Any:
        directives = {_directive(item, path) for item in patch if _is_bare_directive(item)}
        items = [item for item in patch if not _is_bare_directive(item)]
        if "delete" in directives:
            return _GONE
        kept = [] if "replace" in directives else original
        if shape.keys:
            return self._elements(kept, items, order, shape, path)
        if shape.is_set and items + kept == [item for item in items + kept if not isinstance(item, Mapping | list)]:
            return self._united(kept, items, order, path)
        return [self._new(item, f"{path}[{number}]") for number, item in enumerate(items)]

    def _new(self, value: Any, path: str) -> Any:
        """Return an element of a replaced list without the nulls inside it; a null that is an element itself stays."""
        if isinstance(value, list):
            return [self._new(item, path) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get(_PATCH) == "delete":
            raise InputError(f"{path}: $patch: delete has no meaning here, the list has no merge keys and is replaced")
        return self.mapping({}, value, PLAIN, path)

    def _united(self, original: list[Any], patch: list[Any], order: Any, path: str) -> list[Any]:
        slots = [Slot(_single(item), item, origin=number) for number, item in enumerate(original)]
        for number, item in enumerate(patch):
            slot = next((slot for slot in slots if slot.identity == _single(item)), None)
            if slot is None:
                slot = Slot(_single(item), item)
                slots.append(slot)
            slot.rank = number
        return self._in_order(slots, None if order is None else list(map(_single, order)), path)

    def _elements(self, original: list[Any], patch: list[Any], order: Any, shape: Shape, path: str) -> list[Any]:
        slots = [Slot(_identity(item, shape), item, origin=number) for number, item in enumerate(original)]
        for number, element in enumerate(patch):
            wanted = _needed_identity(element, shape, path)
            place = f"{path}[{_name(element, shape)}]"
            found = _matching(slots, wanted, place)
            if _directive(element, place) == "delete":
                slots = [slot for slot in slots if slot not in found]
                continue
            slot = found[0] if found else Slot(wanted, {})
            base = slot.value if isinstance(slot.value, Mapping) else {}
            slot.value = self.mapping(base, element, Shape(of=shape.of), place)
            slot.rank = number
            slots += [] if found else [slot]
        return self._in_order(slots, None if order is None else [_open_identity(item, shape) for item in order], path)

    def _in_order(self, slots: Sequence[Slot], order: list[Identity] | None, path: str) -> list[Any]:
        if order is None:
            return arranged(slots, append=self._append)
        if not rank_by(slots, order):
            raise InputError(f"{path}: the order of the elements doesn't match {_ORDER}{path.rpartition('.')[2]}")
        return arranged(slots, append=False)


def _directive(patch: Any, path: str) -> str | None:
    """Return the value of $patch, checked."""
    directive = patch.get(_PATCH) if isinstance(patch, Mapping) else None
    if directive not in (None, "merge", "replace", "delete"):
        raise InputError(f"{path or 'the patch'}: $patch is {directive!r}, must be merge, replace or delete")
    return directive


def _is_bare_directive(item: Any) -> bool:
    return isinstance(item, Mapping) and set(item) == {_PATCH}


def _named_fields(patch: Mapping[str, Any]) -> Iterable[str]:
    """Return the fields that a patch speaks of, directly or in a directive, each once."""
    names: dict[str, None] = {}
    for key in patch:
        if isinstance(key, str) and key.startswith((_DELETE_VALUES, _ORDER)):
            names[key.partition("/")[2]] = None
        elif key not in (_PATCH, _RETAIN):
            names[key] = None
    return names


def _retained(original: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a copy of the original, of which $retainKeys drops all fields that it does not name."""
    names = patch.get(_RETAIN)
    if names is None:
        return dict(original)
    for name in _named_fields(patch):
        if patch.get(name) is not None and name not in names:
            raise InputError(f"{path or 'the patch'}: $retainKeys drops {name}, which the patch sets")
    return {name: value for name, value in original.items() if name in names}


def _single(value: Any) -> Identity:
    # True equals 1 in Python, and is another value in JSON.
    return isinstance(value, bool), value


def _identity(element: Any, shape: Shape) -> Identity:
    """Return the values of the merge keys, None for a key that has neither a value nor a default."""
    fields = element if isinstance(element, Mapping) else {}
    return tuple(fields.get(key, shape.defaults.get(key)) for key in shape.keys)


def _open_identity(element: Any, shape: Shape) -> Identity:
    """Return the values of the merge keys that are written; kubectl writes only the first one into an order."""
    fields = element if isinstance(element, Mapping) else {}
    return tuple(fields.get(key) for key in shape.keys)


def _needed_identity(element: Any, shape: Shape, path: str) -> Identity:
    if not isinstance(element, Mapping):
        raise InputError(f"{path}: every element must be a mapping with {shape.keys[0]}")
    if element.get(shape.keys[0]) is None:
        raise InputError(f"{path}: an element of the patch does not contain the merge key {shape.keys[0]!r}")
    return _identity(element, shape)


def _matching(slots: Sequence[Slot], wanted: Identity, place: str) -> list[Slot]:
    exact = [slot for slot in slots if slot.identity == wanted]
    if exact or None not in wanted:
        return exact
    close = [slot for slot in slots if agrees(wanted, slot.identity)]
    if len(close) > 1:
        raise InputError(f"{place}: fits {len(close)} elements of the object; name the other merge keys too")
    return close


def _name(element: Mapping[str, Any], shape: Shape) -> str:
    return ",".join(f"{key}={element[key]}" for key in shape.keys if key in element)
