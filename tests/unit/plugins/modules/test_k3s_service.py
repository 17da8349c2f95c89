# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and watching, with commands that answer from a table and an API server that is a value."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._host import k3s_unit
from ansible_collections.hearth.cluster.plugins.module_utils._host.k3s_state import Installation
from ansible_collections.hearth.cluster.plugins.module_utils._host.k3s_unit import Service
from ansible_collections.hearth.cluster.plugins.module_utils._host.paths import Tree
from ansible_collections.hearth.cluster.plugins.module_utils._host.systemd import Unit
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.readiness import Goal
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import unit

GOAL = Goal("pi1")


class Machine:
    """What systemd and the journal say, as it goes on; and what was asked of systemd."""

    def __init__(self, *states: str, lines: str = "") -> None:
        self.states = list(states)
        self.lines = lines
        self.asked: list[str] = []

    def run(self, command: list[str]) -> tuple[int, str, str]:
        if command[0] == "journalctl":
            return 0, self.lines, ""
        if command[1] == "show":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return 0, unit("k3s.service", ActiveState=state), ""
        self.asked.append(" ".join(command[1:]))
        return 0, "", ""

    def service(self) -> Service:
        return Service(self.run, Installation(Tree(Path("/does/not/exist")), self.run), "server")


class Api:
    def ready(self) -> bool:
        return True

    def node(self, name: str) -> dict[str, Any]:
        return {
            "ready": True,
            "ready_message": "",
            "heartbeat": time.time() + 5,
            "etcd_voter": None,
            "etcd_message": "",
        }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(k3s_unit, "INTERVAL", 0.0)
    monkeypatch.setattr(Installation, "api_of", lambda self, role: Api())


@pytest.mark.parametrize(
    ("state", "restart", "todo"),
    [
        (Unit(active="inactive"), False, ["enable", "start"]),
        (Unit(active="inactive"), True, ["enable", "start"]),
        (Unit(active="active", enabled=True), False, []),
        (Unit(active="active", enabled=True), True, ["restart"]),
        (Unit(active="activating", enabled=True), False, []),
        (Unit(active="activating", enabled=True), True, ["restart"]),
        (Unit(active="failed", enabled=True), False, ["start"]),
    ],
)
def test_what_has_to_be_done_with_the_unit(state: Unit, restart: bool, todo: list[str]) -> None:
    assert Machine("active").service().bring_up(state, restart=restart) == todo


def test_systemd_is_never_waited_for() -> None:
    machine = Machine("active")
    machine.service().perform(["enable", "restart"])
    assert machine.asked == ["daemon-reload", "enable k3s.service", "restart --no-block k3s.service"]


def test_watching_ends_when_the_node_is_ready() -> None:
    now = time.time()
    watched = (
        Machine("activating", "activating", "active").service().watch(GOAL, since=now, deadline=now + 5, pause=now + 5)
    )
    assert (watched.ready, watched.problem) == (True, None)


def test_watching_ends_when_the_time_is_up() -> None:
    now = time.time()
    watched = (
        Machine("activating", lines="listen tcp :6443: bind: address already in use")
        .service()
        .watch(GOAL, since=now, deadline=now, pause=now)
    )
    assert not watched.ready
    assert watched.problem is not None
    assert watched.problem.details == {"reason": "port", "unit": "k3s.service"}
    assert "stop it" in str(watched.problem)


def test_a_unit_that_failed_for_good_is_not_waited_for() -> None:
    now = time.time()
    watched = Machine("failed").service().watch(GOAL, since=now, deadline=now + 3600, pause=now + 3600)
    assert "the service is failed" in watched.lacking


def test_a_pause_decides_nothing() -> None:
    now = time.time()
    watched = Machine("activating").service().watch(GOAL, since=now, deadline=now + 3600, pause=now)
    assert (watched.ready, watched.pending, watched.problem) == (False, True, None)
    assert "the service is activating" in watched.lacking
