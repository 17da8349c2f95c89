# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. JSON patch (RFC 6902), through the library jsonpatch; the only file that imports it.

The library's messages quote values, which may be secrets, so every message here is made from paths and field names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..._errors import InputError
from ..near_miss import did_you_mean

try:
    import jsonpatch
except ImportError:  # the face that needs it says so; all others work without
    jsonpatch = None  # type: ignore[assignment]

# What each operation needs besides "op".
_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


def json_patch(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Return the document with all operations applied in order; the argument stays as it is."""
    if jsonpatch is None:
        raise InputError("a patch of kind json needs the Python library jsonpatch: pip install jsonpatch")
    patched = deepcopy(document)
    for number, operation in enumerate(operations, start=1):
        _check(number, operation)
        try:
            patched = jsonpatch.JsonPatch([dict(operation)]).apply(patched, in_place=True)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, IndexError):
            raise _failure(number, operation, patched) from None
    return patched


def _check(number: int, operation: Any) -> None:
    if not isinstance(operation, Mapping):
        raise InputError(f"operation {number} of the JSON patch must be a mapping with op, path and value")
    name = operation.get("op")
    if name not in _MEMBERS:
        raise InputError(f"operation {number} of the JSON patch: op is {name!r}, must be one of {', '.join(_MEMBERS)}")
    for member in _MEMBERS[name]:
        if member not in operation:
            raise InputError(f"operation {number} of the JSON patch ({name}) lacks {member!r}")
    for member in ("from", "path"):
        pointer = operation.get(member, "")
        if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
            raise InputError(f"operation {number} of the JSON patch ({name}): {member} {pointer!r} must begin with /")


def _failure(number: int, operation: Mapping[str, Any], document: Any) -> InputError:
    name, path = operation["op"], operation["path"]
    for member in ("from", "path"):
        problem = (
            _dead_end(document, operation[member], grows=member == "path" and name in {"add", "copy", "move"})
            if (member in _MEMBERS[name])
            else ""
        )
        if problem:
            path = operation[member]
            break
    else:
        problem = "the value there is another one" if name == "test" else "the operation does not fit what is there"
    return InputError(f"operation {number} of the JSON patch ({name} {path}): {problem}", operation=number, path=path)


def _dead_end(document: Any, pointer: str, *, grows: bool) -> str:
    """Say where a pointer leaves the document, empty where it does not; what grows the document may name a new end."""
    parts = [raw.replace("~1", "/").replace("~0", "~") for raw in pointer.split("/")[1:]]
    here = ""
    for position, part in enumerate(parts):
        problem = _missing(document, part, may_be_new=grows and position == len(parts) - 1)
        if problem:
            return f"{here or 'the document'} {problem}"
        document = _child(document, part)
        here = f"{here}/{part}"
    return ""


def _child(document: Any, part: str) -> Any:
    if isinstance(document, Mapping):
        return document.get(part)
    return document[int(part)] if isinstance(document, list) and part.isdigit() and int(part) < len(document) else None


def _missing(document: Any, part: str, *, may_be_new: bool) -> str:
    if isinstance(document, Mapping):
        absent = part not in document and not may_be_new
        return f"has no field {part!r}, {did_you_mean(part, map(str, document))}" if absent else ""
    if isinstance(document, list):
        return _missing_index(len(document), part, may_be_new=may_be_new)
    return f"is no mapping or list, so it has no {part!r}"


def _missing_index(length: int, part: str, *, may_be_new: bool) -> str:
    if may_be_new and part in {"-", str(length)}:
        return ""
    if not part.isdigit() or (part.startswith("0") and part != "0"):
        return f"is a list, so {part!r} must be a number{' or -' if may_be_new else ''}"
    return "" if int(part) < length else f"has {length} items, counted from 0, so there is no {part}"
