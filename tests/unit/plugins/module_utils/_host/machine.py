# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is a folder, and commands that answer from a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ansible_collections.hearth.cluster.plugins.module_utils._host.paths import Tree


def tree(root: Path, files: Mapping[str, str]) -> Tree:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Tree(root)


def answering(answers: Mapping[str, str]) -> Callable[[list[str]], tuple[int, str, str]]:
    """Each command is known by its first two words; one that is not in the table fails."""

    def run(command: list[str]) -> tuple[int, str, str]:
        key = " ".join(command[:2])
        return (0, answers[key], "") if key in answers else (1, "", f"no answer to {command}")

    return run


def unit(name: str, **properties: str) -> str:
    usual = {
        "Id": name,
        "Names": name,
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "MainPID": "77",
        "NRestarts": "0",
        "Job": "0",
        "ExecMainStartTimestampMonotonic": "1000000",
    }
    return "\n".join(f"{key}={value}" for key, value in {**usual, **properties}.items())
