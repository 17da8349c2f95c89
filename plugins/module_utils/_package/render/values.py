# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Values for templates, put together as Helm does it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from ..._errors import InputError

_SHORTEST = 4

# Text is the name of a file that holds values.
Values: TypeAlias = "tuple[str | Mapping[str, Any], ...]"


def read_values(value: Any, place: str) -> Values:
    """A mapping, a file, or a list of both."""
    parts = value if isinstance(value, list | tuple) else [value]
    for number, part in enumerate(parts):
        if not isinstance(part, str | Mapping) or part == "":
            raise InputError(f"{place}[{number}] must be a mapping of values, or a file that holds one")
    return tuple(parts)


def merged(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Later values win; mappings are merged, everything else is replaced. Null takes away what a chart presets."""
    whole: dict[str, Any] = {}
    for part in parts:
        whole = _merge(whole, part)
    return whole


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            result[key] = _merge(under, value)
        else:
            result[key] = value
    return result


def texts_in(values: Any) -> frozenset[str]:
    """Whatever of values could be recognised as a secret in a text: words of some length, as they are and encoded."""
    return frozenset(_texts(values))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)
    elif value is not None and not isinstance(value, bool):
        for line in str(value).splitlines():
            if len(line.strip()) >= _SHORTEST:
                yield line.strip()
                yield from _encoded(line.strip())


def _encoded(text: str) -> Iterator[str]:
    """What base64 makes of a text, wherever in a longer one it begins; its ends depend on the neighbours."""
    for start in range(3):
        middle = base64.b64encode(b"\0" * start + text.encode()).decode().rstrip("=")[4 if start else 0 : -2]
        if len(middle) >= _SHORTEST:
            yield middle


def holds_any(text: str, words: Iterable[str]) -> bool:
    return any(word in text for word in words)
