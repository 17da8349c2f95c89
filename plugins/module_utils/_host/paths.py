# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Reading small files of a machine, below a root that tests move elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Made when the machine first registers as a node.
NODE_PASSWORD = "/etc/rancher/node/password"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Tree:
    """The file system of a machine. A file that is absent or may not be read is as an empty one."""

    root: Path = Path("/")

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        try:
            return self.path(absolute).read_text(errors="replace")
        except OSError:
            return ""

    def words(self, absolute: str) -> list[str]:
        return self.text(absolute).split()

    def has(self, absolute: str) -> bool:
        return self.path(absolute).exists()

    def written_at(self, absolute: str) -> float | None:
        """When a file, or the list of what is in a directory, was last changed."""
        try:
            return self.path(absolute).stat().st_mtime
        except OSError:
            return None

    def names(self, absolute: str) -> list[str]:
        try:
            return sorted(entry.name for entry in self.path(absolute).iterdir())
        except OSError:
            return []
