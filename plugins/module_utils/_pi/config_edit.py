# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How lines of config.txt change: replaced, taken out, written at the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from .._errors import InputError
from .config_txt import ALL, EVERYTHING, Line, Lines, State, states


def replaced(lines: Sequence[Line], index: int, text: str) -> Lines:
    return (*lines[:index], replace(lines[index], text=text), *lines[index + 1 :])


def without(lines: Sequence[Line], indices: Collection[int]) -> Lines:
    return tuple(line for index, line in enumerate(lines) if index not in indices)


def inserted(lines: Sequence[Line], index: int, text: str) -> Lines:
    ending = next((line.ending for line in lines if line.ending), "\n")
    written = _ended(lines, ending)
    return (*written[:index], Line(text, ending), *written[index:])


def refuse_included(lines: Sequence[Line], what: str) -> None:
    """A file that config.txt includes belongs to somebody else."""
    if any(line.included for line in lines):
        raise InputError(
            f"'{what}' is set in a file that config.txt includes; remove it there, or drop the include line."
        )


def appended(lines: Sequence[Line], state: State, text: str) -> Lines:
    """Write a line at the end, under exactly the filters of ``state``; what others append still applies to all."""
    ending = next((line.ending for line in lines if line.ending), "\n")
    written = _ended(lines, ending)
    if state != EVERYTHING and _is_bare_reset(written) and states(written[:-1])[-1] == state:
        written.pop()  # the section before is ours to continue
    written += [Line(header, ending) for header in _headers(states(written)[-1], state)]
    written.append(Line(text, ending))
    if state != EVERYTHING:
        written.append(Line(f"[{ALL}]", ending))
    return tuple(written)


def _is_bare_reset(lines: Sequence[Line]) -> bool:
    return bool(lines) and lines[-1].filter == ALL and not lines[-1].included


def _headers(current: State, wanted: State) -> list[str]:
    if current == wanted:
        return []
    reset = [f"[{ALL}]"] if current != EVERYTHING else []
    return [*reset, *(f"[{name}]" for _kind, name in wanted)]


def _ended(lines: Sequence[Line], ending: str) -> list[Line]:
    """Every line of the file itself with a line end, which only its last one may lack."""
    return [line if line.ending or line.included else replace(line, ending=ending) for line in lines]
