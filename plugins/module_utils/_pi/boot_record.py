# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the boot files said when the machine started.

Neither the firmware nor the kernel keeps config.txt, and FAT's local times make file times a weak witness. So the
digests are noted in /run, which is empty after every start, the first time anybody asks: a file older than the start is
what the firmware read.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from .boot_config import Plan

_RECORD = "run/hearth/boot_config.json"
_UNKNOWN = ""  # changed by somebody between the start and the first look


class BootRecord:
    """The digests, by path. Read on creation; ``save`` is for runs that may change something."""

    def __init__(self, root: Path) -> None:
        self._path = root / _RECORD
        self._started_at = started_at(root)
        self._digests = self._read()

    def note(self, directory: Path, plan: Plan) -> dict[str, bool]:
        """Remember the files as they were before the plan; say of each whether the plan leaves it other than that."""
        differs = {}
        for file in plan.files:
            path = directory / file.name
            booted = self._digests.setdefault(str(path), self._as_booted(path, file.before))
            differs[file.name] = booted != _digest(file.after)
        return differs

    def save(self) -> None:
        if self._digests != self._read():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(self._digests))
            fresh.replace(self._path)

    def _as_booted(self, path: Path, text: str) -> str:
        # A time to come is the work of a clock or a time zone that was set since, and says nothing.
        changed = path.exists() and self._started_at < path.stat().st_mtime <= time.time()
        return _UNKNOWN if changed else _digest(text)

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


def started_at(root: Path) -> float:
    """When the first process started: the machine's own start, or a container's."""
    kernel = next(
        int(line.split()[1]) for line in (root / "proc/stat").read_text().splitlines() if line.startswith("btime ")
    )
    after_name = (root / "proc/1/stat").read_text().rpartition(")")[2].split()
    return kernel + int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
