# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The table of file systems: two small changes, every other byte kept."""

from __future__ import annotations

import re
from collections.abc import Callable

_ACCESS_TIMES = {"noatime", "relatime", "strictatime"}
_FIELD = re.compile(r"\S+")


def without_swap(text: str) -> str:
    """Swap entries as comments, from which a person can bring them back."""
    return _each_entry(text, lambda fields, line: f"# {line}" if fields[2] == "swap" else line)


def with_noatime(text: str) -> str:
    """The root file system without access times, unless somebody has decided about them."""
    return _each_entry(
        text, lambda fields, line: _with_option(line, fields[3]) if fields[1] == "/" and len(fields) > 3 else line
    )


def _each_entry(text: str, change: Callable[[list[str], str], str]) -> str:
    lines = []
    for line in text.splitlines(keepends=True):
        fields = line.split()
        is_entry = len(fields) >= 3 and not fields[0].startswith("#")
        lines.append(change(fields, line) if is_entry else line)
    return "".join(lines)


def _with_option(line: str, options: str) -> str:
    if _ACCESS_TIMES & set(options.split(",")):
        return line
    place = list(_FIELD.finditer(line))[3]
    return f"{line[: place.start()]}{options},noatime{line[place.end() :]}"
