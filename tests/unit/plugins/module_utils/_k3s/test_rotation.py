# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster comes to another token, also when a run ended anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.rotation import Rotation, plan_rotation

THREE = ("pi1", "pi2", "pi3")
WRITTEN = 1000.0


def node(name: str, **differences: Any) -> dict[str, Any]:
    return {
        "name": name,
        "ready": True,
        "ready_message": "",
        "etcd_voter": True,
        "etcd_message": "",
        "heartbeat": WRITTEN + 10,
        "address": "",
        "out_of_service": False,
        "is_back": False,
        **differences,
    }


NODES = [node(name) for name in THREE]


def record(
    name: str,
    *,
    knows: bool = False,
    has: bool = False,
    started: float = WRITTEN - 100,
    begun: bool = False,
    live: bool = True,
    role: str = "server",
    nodes: Sequence[Any] = NODES,
) -> dict[str, Any]:
    """A machine that has compared the new token with its own: ``knows`` and ``has`` say where it found it."""
    ready = live and role == "server"
    return {
        "name": name,
        "role": role,
        "address": "",
        "node_name": name,
        "probe": {
            "host": {"addresses": []},
            "k3s": {
                "role": role,
                "installed_roles": [role],
                "service": {"active": "active" if live else "activating", "started_at": started, "enabled": True},
                "binary": {"modified_at": 1.0},
                "datastore": "etcd",
                "cluster": "a" * 64,
                "node_password": True,
                "config": {"server": "", "cluster_init": False},
                "api": {"ready": ready, "nodes": list(nodes) if ready else []},
                "token_file": {"present": True, "cluster": "", "matches": has, "modified_at": WRITTEN if has else 1.0},
                "token_matches": knows,
                "token_changes": begun,
            },
        },
    }


def plan(*records: dict[str, Any], names: Sequence[str] = THREE) -> Rotation:
    return plan_rotation(records, names)


def test_one_server_is_told_all_are_given_it_and_restarted_in_turn() -> None:
    planned = plan(*(record(name) for name in THREE))
    assert (planned.told, planned.given, planned.restarted) == ("pi1", THREE, THREE)
    assert not planned.problems
    assert [step.split()[0] for step in planned.steps()] == ["pi1", "pi1,", "k3s", "k3s", "k3s"]


def test_agents_come_after_the_servers() -> None:
    nodes = [node("pi0", etcd_voter=None), node("pi1")]
    planned = plan(record("pi0", role="agent"), record("pi1", nodes=nodes), names=["pi0", "pi1"])
    assert planned.problems == ()
    assert planned.restarted == ("pi1", "pi0")


def test_a_cluster_that_has_the_token_is_left_alone() -> None:
    assert not plan(*(record(name, knows=True, has=True, started=WRITTEN + 1) for name in THREE)).needed


def test_a_server_that_was_told_and_not_given_it_yet_is_no_proof() -> None:
    """The attempt may have failed halfway; another server that is told mends it or makes sure."""
    planned = plan(record("pi1", knows=True, begun=True), record("pi2", begun=True), record("pi3", begun=True))
    assert planned.told == "pi2"


def test_a_single_server_is_told_again() -> None:
    assert plan(record("pi1", knows=True, begun=True, nodes=[]), names=["pi1"]).told == "pi1"


def test_nobody_is_told_again_once_a_server_knows_and_has_it() -> None:
    planned = plan(
        record("pi1", knows=True, has=True, begun=True), record("pi2", begun=True), record("pi3", begun=True)
    )
    assert planned.told == ""
    assert planned.given == ("pi2", "pi3")
    assert planned.restarted == THREE


def test_who_was_started_with_it_is_not_restarted_again() -> None:
    done = record("pi1", knows=True, has=True, started=WRITTEN + 1, begun=True)
    planned = plan(done, record("pi2", has=True, begun=True), record("pi3", has=True, begun=True))
    assert (planned.told, planned.given, planned.restarted) == ("", (), ("pi2", "pi3"))


def test_who_was_started_with_it_and_did_not_come_back_is_restarted_again_and_waited_for() -> None:
    nodes = [node("pi1", ready=False), *NODES[1:]]
    new = {"knows": True, "has": True, "started": WRITTEN + 1, "nodes": nodes}
    assert plan(*(record(name, **new, begun=True) for name in THREE)).restarted == ("pi1",)
    assert plan(*(record(name, **new) for name in THREE)).restarted == ()


def test_only_the_marks_are_left() -> None:
    planned = plan(*(record(name, knows=True, has=True, started=WRITTEN + 1, begun=name != "pi1") for name in THREE))
    assert planned.needed
    assert planned.steps() == ["what a run that was cut short has begun is brought to its end"]
    assert planned.left == ("pi2", "pi3")


def test_a_server_that_the_change_has_stopped_comes_first() -> None:
    planned = plan(record("pi1", begun=True), record("pi2", begun=True), record("pi3", begun=True, live=False))
    assert planned.restarted == ("pi3", "pi1", "pi2")
    assert planned.down == ("pi3",)
    assert not planned.problems


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record("pi1", nodes=NODES[:2]), record("pi2", nodes=NODES[:2])], ["pi3", "did not answer", "--limit"]),
        ([record("pi1"), record("pi2"), record("pi3", live=False)], ["pi3", "runs no k3s"]),
        (
            [record("pi1", nodes=[*NODES, node("pi9")]), record("pi2"), record("pi3")],
            ["pi9", "add it to the inventory"],
        ),
        ([record(name, nodes=[node("pi2", ready=False)]) for name in THREE], ["pi2", "Ready"]),
        ([record(name, nodes=[node("pi1", etcd_voter=False)]) for name in THREE], ["pi1", "not a voting member"]),
        (
            [record("pi1", live=False, begun=True), *(record(name, live=False) for name in THREE[1:])],
            ["no server runs"],
        ),
    ],
)
def test_no_machine_is_left_behind(records: list[dict[str, Any]], words: list[str]) -> None:
    (problem,) = [one for one in plan(*records).problems if words[0] in one]
    assert all(word in problem for word in words)


class Model:
    """What k3s does with its tokens, as far as a rotation sees it: without the datastore's token it does not start."""

    def __init__(self) -> None:
        self.datastore = "old"
        self.begun = False
        self.disk = {name: {"knows": "old", "has": "old", "runs_with": "old"} for name in THREE}

    def look(self) -> Rotation:
        seen = []
        for name, state in self.disk.items():
            seen.append(
                record(
                    name,
                    knows=state["knows"] == "new",
                    has=state["has"] == "new",
                    started=WRITTEN + (1 if state["runs_with"] == "new" else -1),
                    begun=self.begun,
                    live=state["runs_with"] != "",
                )
            )
        return plan(*seen)

    def actions(self) -> list[tuple[str, str]]:
        planned = self.look()
        assert not planned.problems
        told = [("begin", ""), ("tell", planned.told)] if planned.told else []
        given = [("give", name) for name in planned.given]
        return [*told, *given, *(("start", name) for name in planned.restarted), ("end", "")]

    def perform(self, action: str, name: str) -> None:
        if action in ("begin", "end"):
            self.begun = action == "begin"
        elif action == "tell":
            assert self.disk[name]["runs_with"], "only a server that runs can be told"
            self.datastore = self.disk[name]["knows"] = "new"
        elif action == "give":
            self.disk[name]["has"] = "new"
        else:
            self.start(name)

    def start(self, name: str) -> None:
        state = self.disk[name]
        state["runs_with"] = state["has"] if state["has"] == self.datastore else ""
        if state["runs_with"]:
            state["knows"] = state["has"]


@pytest.mark.parametrize("ends_after", range(10))
@pytest.mark.parametrize("restart_meanwhile", [[], ["pi1"], ["pi2"], ["pi3"], THREE])
def test_a_run_may_end_anywhere_and_machines_restart_meanwhile(ends_after: int, restart_meanwhile: list[str]) -> None:
    model = Model()
    for action, name in model.actions()[:ends_after]:
        model.perform(action, name)
    for name in restart_meanwhile:
        model.start(name)
    if model.look().needed:
        for action, name in model.actions():
            model.perform(action, name)
    assert not model.look().needed
    assert {state["runs_with"] for state in model.disk.values()} == {"new"}


def test_a_start_with_the_old_token_after_the_change_is_what_must_not_happen() -> None:
    model = Model()
    model.perform("tell", "pi1")
    model.start("pi2")
    assert model.disk["pi2"]["runs_with"] == ""
