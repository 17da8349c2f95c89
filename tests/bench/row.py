# SPDX-License-Identifier: GPL-3.0-or-later
"""One measured figure beside what a user would pick instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """``budget`` is the most that ``ours`` may be, in the same ``unit``; None where the figure only informs."""

    id: str
    unit: str
    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    budget: float | None = None

    @property
    def kept(self) -> bool:
        return self.budget is None or self.ours <= self.budget


def figure(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


HEADING = f"{'what':<36} {'ours':>9} {'budget':>9}  peers"


def line(row: Row) -> str:
    """One row as it is printed below the heading."""
    budget = "-" if row.budget is None else figure(row.budget)
    peers = ", ".join(f"{name} {figure(value)}" for name, value in row.peers.items()) or "-"
    mark = "" if row.kept else "   OVER BUDGET"
    return f"{row.id:<36} {figure(row.ours):>9} {budget:>9}  {peers} [{row.unit}]{mark}"


def read(path: Path) -> list[Row]:
    """The rows that were written there; none where nothing was."""
    return [Row(**row) for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def write(rows: Iterable[Row], path: Path) -> None:
    """Replace the rows of the same ids, keep those of suites that did not run."""
    merged = {row.id: row for row in [*read(path), *rows]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": [asdict(row) for row in merged.values()]}, indent=2) + "\n")
