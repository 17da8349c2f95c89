# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Read fields of objects that may be half filled.

A live object can lack any part of its status, and can carry null where a list belongs (``status.conditions`` of a new
CustomResourceDefinition does). These readers give the type that was asked for, or its empty value, and never raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = {}


def field(document: Any, *path: str) -> Any:
    """Return the value at a path of keys, None where the path ends early."""
    for key in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def known(value: T | None) -> T:
    """Return a value that the caller's own rules say is there; its absence is a defect, not an error of a person."""
    if value is None:
        raise AssertionError("a value that must be there is absent")
    return value


def mapping(document: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping at a path, an empty one where there is none."""
    value = field(document, *path)
    return value if isinstance(value, Mapping) else _NOTHING


def sequence(document: Any, *path: str) -> Sequence[Any]:
    """Return the list at a path, an empty one where there is none."""
    value = field(document, *path)
    return value if isinstance(value, list | tuple) else ()


def integer(document: Any, *path: str, default: int = 0) -> int:
    """Return the whole number at a path; an absent counter of a status means the default."""
    value = field(document, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def text(document: Any, *path: str) -> str:
    """Return the string at a path, an empty one where there is none."""
    value = field(document, *path)
    return value if isinstance(value, str) else ""


def conditions(document: Any) -> dict[str, Mapping[str, Any]]:
    """Return the conditions of an object's status by their type."""
    listed = sequence(document, "status", "conditions")
    return {
        entry["type"]: entry for entry in listed if isinstance(entry, Mapping) and isinstance(entry.get("type"), str)
    }


def group_of(document: Any) -> str:
    """Return the API group, which is empty for the core group."""
    group, slash, _version = text(document, "apiVersion").partition("/")
    return group if slash else ""


def with_text_keys(value: Any) -> Any:
    """Return a value as JSON holds it: YAML may read a key as a number or a truth value, JSON has only text."""
    if isinstance(value, Mapping):
        return {_key(key): with_text_keys(item) for key, item in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def joined(path: str, name: Any) -> str:
    """Return the path of a field, written as set_path.py reads it: a name that holds dots or brackets is quoted."""
    if any(sign in str(name) for sign in ".[]"):
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else str(name)
