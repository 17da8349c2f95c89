# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Set one field of an object by its path, for patches of the kind ``set``.

=========================  ===================================================================================
``spec.replicas``          fields, joined by dots
``data["app.yaml"]``       a field whose name holds dots, brackets or slashes, in single or double quotes
``args[0]``, ``args[-1]``  an element by its place, negative from the end; ``args.0`` is the same
``env[name=HOME].value``   the elements in which this field has this value; several joined by commas
``containers[*].image``    every element
``args[+]``                a new element at the end
=========================  ===================================================================================

Mappings that are missing on the way are made, elements must be there. The value null removes the field or the element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ..._errors import InputError
from ..fields import joined
from ..near_miss import did_you_mean

_STEP: Final = re.compile(
    r"""
    (?P<dot>\.)?(?P<key>[^.\[\]"']+)                # a field
    | \[(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)')\]  # a quoted field
    | \[(?P<index>-?[0-9]+)\]
    | \[(?P<every>\*)\]
    | \[(?P<end>\+)\]
    | \[(?P<match>[^\[\]=,"']+=[^\[\]=,]*(?:,[^\[\]=,"']+=[^\[\]=,]*)*)\]
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Key:
    name: str


@dataclass(frozen=True)
class _Index:
    place: int


@dataclass(frozen=True)
class _Match:
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Every:
    pass


@dataclass(frozen=True)
class _End:
    pass


_Step: TypeAlias = "_Key | _Index | _Match | _Every | _End"

_REMOVED: Final = object()


def set_path(document: Mapping[str, Any], path: str, value: Any) -> Any:
    """Return a copy of the document with one field set; the argument stays as it is."""
    return _set(document, _parse(path), _REMOVED if value is None else value, "")


def _parse(path: str) -> list[_Step]:
    steps: list[_Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or (position == 0 and match["dot"]):
            raise InputError(f"path {path!r} cannot be read from {path[position:]!r} on")
        if match["key"] is not None and steps and not match["dot"]:
            raise InputError(f"path {path!r}: a dot is missing before {match['key']!r}")
        steps.append(_step(match))
        position = match.end()
    if not steps or not isinstance(steps[0], _Key):
        raise InputError(f"path {path!r} must begin with the name of a field")
    return steps


def _step(match: re.Match[str]) -> _Step:
    if match["index"] is not None:
        return _Index(int(match["index"]))
    if match["every"]:
        return _Every()
    if match["end"]:
        return _End()
    if match["match"]:
        pairs = (pair.partition("=") for pair in match["match"].split(","))
        return _Match(tuple((name.strip(), value.strip()) for name, _sign, value in pairs))
    return _Key(match["key"] or match["double"] or match["single"])


def _set(current: Any, steps: Sequence[_Step], value: Any, here: str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, _Key) and not isinstance(current, list):
        return _set_field(current, step.name, rest, value, here)
    if isinstance(step, _Key):
        if not step.name.isdigit():
            raise InputError(f"{here} is a list: name an element, {here}[0], {here}[name=...] or {here}[*]")
        step = _Index(int(step.name))
    return _set_elements(current, step, rest, value, here)


def _set_field(current: Any, name: str, rest: Sequence[_Step], value: Any, here: str) -> Any:
    if current is not None and not isinstance(current, Mapping):
        raise InputError(f"{here} is a single value, so it has no field {name!r}")
    fields = dict(current or {})
    if value is _REMOVED and rest and name not in fields:
        return fields
    changed = _set(fields.get(name), rest, value, joined(here, name))
    if changed is _REMOVED:
        fields.pop(name, None)
    else:
        fields[name] = changed
    return fields


def _set_elements(current: Any, step: _Step, rest: Sequence[_Step], value: Any, here: str) -> list[Any]:
    if isinstance(step, _End) and current is None:
        current = []
    if not isinstance(current, list):
        raise InputError(f"{here} is {'not there' if current is None else 'no list'}, so it has no elements")
    elements = list(current)
    if isinstance(step, _End):
        return elements if value is _REMOVED else [*elements, _set(None, rest, value, f"{here}[{len(elements)}]")]
    for place in _places(elements, step, here):
        elements[place] = _set(elements[place], rest, value, f"{here}[{place}]")
    return [element for element in elements if element is not _REMOVED]


def _places(elements: Sequence[Any], step: _Step, here: str) -> Iterable[int]:
    if isinstance(step, _Index):
        place = step.place if step.place >= 0 else len(elements) + step.place
        if not 0 <= place < len(elements):
            raise InputError(f"{here} has {len(elements)} elements, counted from 0, so there is no {step.place}")
        return [place]
    if not isinstance(step, _Match):
        return range(len(elements))
    places = [place for place, element in enumerate(elements) if _fits(element, step)]
    if not places:
        wanted = ",".join(f"{name}={text}" for name, text in step.fields)
        name, text = step.fields[0]
        known = [str(element[name]) for element in elements if isinstance(element, Mapping) and name in element]
        raise InputError(f"{here} has no element with {wanted}, {did_you_mean(text, known)}")
    return places


def _fits(element: Any, step: _Match) -> bool:
    return isinstance(element, Mapping) and all(str(element.get(name)) == text for name, text in step.fields)
