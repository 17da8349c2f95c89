# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How the firmware reads config.txt: lines, includes, filters, open overlays.

A file is a tuple of lines; ``render(parse(text)) == text`` for any text. Nothing here changes a line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALL = "all"
OVERLAY = "dtoverlay"
PARAMETER = "dtparam"
LONGEST_LINE = 98  # the firmware ignores what is beyond

# The filters that a model sees besides its own.
_SEEN_TOO = {
    "pi0w": "pi0",
    "pi02": "pi0w",
    "cm0": "pi02",
    "cm1": "pi1",
    "pi3+": "pi3",
    "cm3": "pi3",
    "cm3+": "pi3+",
    "pi400": "pi4",
    "cm4": "pi4",
    "cm4s": "pi4",
    "pi500": "pi5",
    "cm5": "pi5",
}
_MODELS = {*_SEEN_TOO, *_SEEN_TOO.values(), "pi2"}
_DEEPEST_INCLUDE = 5


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    ending: str
    included: bool = False  # comes from a file that an include line names

    @property
    def filter(self) -> str | None:
        match = re.fullmatch(r"\s*\[([^\]]*)\]\s*", self.text)
        return match.group(1) if match else None

    @property
    def assignment(self) -> tuple[str, str] | None:
        """Key and value of ``key=value``."""
        if self.filter is not None or self.text.lstrip().startswith("#"):
            return None
        key, separator, value = self.text.partition("=")
        return (key.strip(), value.strip()) if separator else None

    @property
    def include(self) -> str | None:
        words = self.text.split()
        return words[1] if len(words) == 2 and words[0] == "include" else None


Lines = tuple[Line, ...]
State = tuple[tuple[str, str], ...]  # kind and text of each filter in force; empty means that everything applies
EVERYTHING: State = ()


def parse(text: str, included: Mapping[str, str] | None = None) -> Lines:
    """``included`` has the text of the files that include lines may name; what they say counts, but is not rendered."""
    return tuple(_lines(text, included or {}, depth=0))


def render(lines: Sequence[Line]) -> str:
    return "".join(line.text + line.ending for line in lines if not line.included)


def includes(text: str) -> tuple[str, ...]:
    return tuple(line.include for line in parse(text) if line.include)


def _lines(text: str, included: Mapping[str, str], depth: int) -> list[Line]:
    lines: list[Line] = []
    for match in re.finditer(r"([^\n]*?)(\r*\n|\Z)", text):
        if match.group():
            line = Line(match[1], match[2], included=depth > 0)
            lines.append(line)
            if line.include and depth < _DEEPEST_INCLUDE:
                lines += _lines(included.get(line.include, ""), included, depth + 1)
    return lines


def state_of(name: str) -> State:
    """The state in which one filter is in force."""
    return EVERYTHING if name == ALL else ((_kind(name), name),)


def states(lines: Sequence[Line]) -> list[State]:
    """The filters in force at each line, and last those at the end of the file."""
    found, state = [], EVERYTHING
    for line in lines:
        if line.filter is not None:
            state = _filtered(state, line.filter)
        found.append(state)
    return [*found, state]


def _filtered(state: State, name: str) -> State:
    if name == ALL:
        return EVERYTHING
    return (*(entry for entry in state if entry[0] != _kind(name)), (_kind(name), name))


def _kind(name: str) -> str:
    return "model" if name in _MODELS else re.split(r"[=:&<>]", name, maxsplit=1)[0]


def covers(wide: State, narrow: State) -> bool:
    """Whether ``wide`` applies wherever ``narrow`` does."""
    seen = {name for _other, own in narrow for name in (own, *_also_seen(own))}
    return seen.issuperset(name for _other, name in wide)


def disjoint(one: State, other: State) -> bool:
    """Whether their models exclude each other."""
    first, second = (tuple(entry for entry in state if entry[0] == "model") for state in (one, other))
    return not covers(first, second) and not covers(second, first)


def breadth(name: str) -> int:
    """0 for the filter that everything sees, more for narrower ones: the order in which they must stand in the file."""
    return 0 if name == ALL else 1 + len(_also_seen(name))


def _also_seen(name: str) -> list[str]:
    seen = []
    while name in _SEEN_TOO:
        name = _SEEN_TOO[name]
        seen.append(name)
    return seen


def is_filter(name: str) -> bool:
    """Whether the firmware knows a filter of this form."""
    return name in {ALL, "none", "tryboot", *_MODELS} or bool(
        re.fullmatch(r"0x[0-9a-fA-F]+|[\w-]+[=:&<>][^\[\]\s]+", name)
    )


def described(lines: Sequence[Line]) -> str:
    """One statement a line with its filters before it: the form in which a person compares two files."""
    said = [
        " ".join((*(f"[{name}]" for _type, name in state), line.text.strip()))
        for line, state in zip(lines, states(lines), strict=False)
        if line.filter is None and line.text.strip() and not line.text.lstrip().startswith("#") and not line.included
    ]
    return "".join(f"{statement}\n" for statement in said)


def open_overlays(lines: Sequence[Line], reader: State) -> list[State]:
    """Where an overlay was loaded to which the next dtparam would belong, on machines that see ``reader``."""
    opened: list[State] = []
    for line, state in zip(lines, states(lines), strict=False):
        if line.assignment and line.assignment[0] == OVERLAY:
            # What the reader sees for certain ends every list; what it may not see, only those it would have seen too.
            opened = [] if covers(state, reader) else [other for other in opened if not covers(state, other)]
            if line.assignment[1]:
                opened.append(state)
    return [state for state in opened if not disjoint(state, reader)]
