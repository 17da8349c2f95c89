# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Start k3s without waiting inside systemd, and watch what becomes of it.

``systemctl start`` of k3s' unit returns when k3s says that it is ready, which with a wrong token is never.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .._errors import HostError, NotReadyError
from .._k3s.readiness import Goal, Patience, Sight, complaint, missing
from .k3s_state import UNITS, Installation
from .systemd import Run, Unit, journal, units

INTERVAL = 2.0
RECENT = 12.0  # two of systemd's attempts to restart k3s


@dataclass(frozen=True, slots=True)
class Watched:
    """How watching ended."""

    ready: bool
    lacking: str
    seconds: float
    problem: NotReadyError | None = field(default=None, repr=False)
    pending: bool = False  # nothing is decided yet


@dataclass(frozen=True, slots=True)
class Service:
    """The unit of k3s on this machine."""

    run: Run
    installation: Installation
    role: str

    @property
    def name(self) -> str:
        return UNITS[self.role]

    def state(self) -> Unit:
        return units(self.run, [self.name])[self.name]

    def bring_up(self, unit: Unit, *, restart: bool) -> list[str]:
        """Return the names of what has to be done with the unit so that it runs as it is written."""
        todo = [] if unit.enabled else ["enable"]
        if restart and unit.active in ("active", "activating", "reloading"):
            return [*todo, "restart"]
        return todo if unit.active in ("active", "activating") else [*todo, "start"]

    def perform(self, todo: list[str]) -> None:
        self._systemctl("daemon-reload")
        for verb in todo:
            self._systemctl(verb, *([] if verb == "enable" else ["--no-block"]), self.name)

    def watch(self, goal: Goal, *, since: float, deadline: float, pause: float) -> Watched:
        """Look every two seconds until the node is ready, the time is up, there is no hope, or a pause is due."""
        patience = Patience()
        while True:
            sight = self._sight(goal)
            lacking = missing(goal, sight)
            now = time.time()
            if not lacking:
                return Watched(True, "", now - since)
            recent = journal(self.run, self.name, max(since, now - RECENT))
            if now >= deadline or patience.is_exhausted(now, sight, recent):
                return self._give_up(lacking, since, now)
            if now >= pause:
                return Watched(False, lacking, now - since, pending=True)
            time.sleep(INTERVAL)

    def _give_up(self, lacking: str, since: float, now: float) -> Watched:
        lines = journal(self.run, self.name, since)
        message, cause = complaint(self.name, lacking, now - since, lines)
        problem = NotReadyError(message, reason=cause.name if cause else "unknown", unit=self.name)
        return Watched(False, lacking, now - since, problem)

    def _sight(self, goal: Goal) -> Sight:
        unit = self.state()
        api = self.installation.api_of(self.role)
        running = unit.active == "active"
        node = api.node(goal.node_name) if running else None
        # An agent may read its own Node and nothing else, so the Node itself is the sign of life of its API server.
        ready = None if self.role == "agent" else running and api.ready()
        return Sight(unit.active, unit.sub, unit.started_at, unit.queued, ready, node)

    def _systemctl(self, *arguments: str) -> None:
        rc, _out, err = self.run(["systemctl", *arguments])
        if rc != 0:
            raise HostError(f"systemctl {' '.join(arguments)} failed: {err.strip()}")
