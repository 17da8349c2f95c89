# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Paths of fields as the API server writes them in conflicts, and an object without them.

``.spec.replicas``, ``.webhooks[name="x"].clientConfig.caBundle``, ``.spec.ports[port=53,protocol="UDP"].name``,
``.metadata.finalizers[="y"]``. Names with dots in them are not quoted, so a path is read along the object it is of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_ELEMENT = re.compile(r'\[((?:[^\]"]|"(?:[^"\\]|\\.)*")*)\]')
_KEY = re.compile(r'([^=,"]*)=("(?:[^"\\]|\\.)*"|[^,]+)')


def covers(path: str, field: str) -> bool:
    """Whether a path is that of a field, or of something that the field is inside of; the first dot may be left out."""
    path = path if path.startswith((".", "[")) else f".{path}"
    return field == path or field.startswith((f"{path}.", f"{path}["))


def without(content: Mapping[str, Any], fields: Iterable[str]) -> Mapping[str, Any]:
    """A copy of an object that does not say anything about these fields."""
    left: Any = content
    for path in fields:
        left = _without(left, path)
    kept: Mapping[str, Any] = left
    return kept


def _without(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return _mapping_without(value, path)
    return _list_without(value, path) if isinstance(value, list) else value


def _mapping_without(value: Mapping[str, Any], path: str) -> dict[str, Any]:
    kept = {}
    for key, item in value.items():
        rest = path.removeprefix(f".{key}")
        if rest == path or (rest and rest[0] not in ".["):
            kept[key] = item
        elif rest:
            kept[key] = _without(item, rest)
    return kept


def _list_without(value: list[Any], path: str) -> list[Any]:
    match = _ELEMENT.match(path)
    if match is None:
        return value
    rest = path[match.end() :]
    keys = {name: _decoded(said) for name, said in _KEY.findall(match[1])}
    kept = []
    for item in value:
        if not _is_element(item, keys):
            kept.append(item)
        elif rest:
            kept.append(_without(item, rest))
    return kept


def _is_element(item: Any, keys: Mapping[str, Any]) -> bool:
    if set(keys) == {""}:
        return bool(item == keys[""])
    return isinstance(item, Mapping) and all(item.get(name) == wanted for name, wanted in keys.items())


def _decoded(said: str) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return said
