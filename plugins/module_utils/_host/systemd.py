# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What systemd knows about units and says in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Run = Callable[[list[str]], tuple[int, str, str]]

_PROPERTIES = (
    "Id",
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "NRestarts",
    "Job",
    "ExecMainStartTimestampMonotonic",
)


@dataclass(frozen=True, slots=True)
class Unit:
    """The state of one unit; one that does not exist has ``loaded`` false."""

    name: str = ""
    loaded: bool = False
    active: str = "inactive"
    sub: str = "dead"
    enabled: bool = False
    main_pid: int = 0
    started_at: float | None = None  # seconds since 1970, by the clock as it stands now
    running_for: float | None = None  # seconds; a jump of the clock does not matter
    restarts: int = 0
    queued: bool = False  # a start was asked for and waits for other units

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def units(run: Run, names: Sequence[str]) -> dict[str, Unit]:
    """Ask for several units at once."""
    _rc, out, _err = run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", "--", *names])
    found = {}
    for block in out.split("\n\n"):
        properties = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for name in properties.get("Names", properties.get("Id", "")).split():
            found[name] = _unit(name, properties)
    return {name: found.get(name, Unit(name=name)) for name in names}


def _unit(name: str, properties: dict[str, str]) -> Unit:
    pid = int(properties.get("MainPID") or 0)
    running_for = _age(properties.get("ExecMainStartTimestampMonotonic", "")) if pid else None
    return Unit(
        name=name,
        loaded=properties.get("LoadState") == "loaded",
        active=properties.get("ActiveState", "inactive"),
        sub=properties.get("SubState", "dead"),
        enabled=properties.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias"),
        main_pid=pid,
        started_at=None if running_for is None else time.time() - running_for,
        running_for=running_for,
        restarts=int(properties.get("NRestarts") or 0),
        queued=properties.get("Job", "0").split()[:1] not in ([], ["0"]),
    )


def _age(microseconds: str) -> float | None:
    """Seconds since a moment of the monotonic clock."""
    if not microseconds.isdigit() or microseconds == "0":
        return None
    return time.monotonic() - int(microseconds) / 1e6


def journal(run: Run, unit: str, since: float) -> list[str]:
    """Return the lines a unit wrote since a moment, oldest first."""
    command = ["journalctl", f"--unit={unit}", f"--since=@{since:.6f}", "--output=cat", "--no-pager", "--lines=400"]
    _rc, out, _err = run(command)
    return out.splitlines()
