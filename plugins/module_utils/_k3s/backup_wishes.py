# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is asked for of backups, and would lose one or a part of one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def backup_wish_problems(commands: Sequence[Mapping[str, Any]], keep: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each parameter that must be mended first.

    keep: how many backups are kept, by the name of the parameter.
    """
    names = Counter(str(command["name"]) for command in commands)
    few = [
        f"{parameter} is {many}, and no backup would be kept: set it to 1 or more"
        for parameter, many in keep.items()
        if int(many) < 1
    ]
    twice = [
        f"backup_commands has {many} commands of the name {name}, and of their dumps only the last would be kept: give "
        "each a name of its own"
        for name, many in names.items()
        if many > 1
    ]
    odd = [
        f"backup_commands has a command of the name {name!r}, which becomes that of a file: use letters, digits, dots, "
        "dashes and underscores alone"
        for name in names
        if not _NAME.fullmatch(name)
    ]
    return [*few, *twice, *odd]
