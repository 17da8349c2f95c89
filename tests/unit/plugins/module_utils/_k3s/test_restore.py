# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a restore, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import ClusterNode, Machine
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.restore import (
    backup_problems,
    is_half_done,
    is_in_place,
    node_marks,
    restore_obstacles,
    stale_nodes,
    unfit,
)

SERVERS = ("pi1", "pi2", "pi3")
MANIFEST: dict[str, Any] = {
    "name": "20261127T030000Z",
    "cluster": "a" * 64,
    "cluster_name": "home",
    "k3s_version": "v1.36.3+k3s1",
    "datastore": "etcd",
}
BEGUN = {"backup": MANIFEST["name"], "cluster": MANIFEST["cluster"], "in_place": False, "given_back": []}
IN_PLACE = {**BEGUN, "in_place": True}


def machine(name: str, **seen: Any) -> Machine:
    return replace(Machine(name=name, role="server", address="10.0.0.1", node_name=name), **seen)


def problems(manifest: dict[str, Any] | None = None, **wishes: Any) -> list[str]:
    given = {"cluster_name": "home", "version": "v1.36.3+k3s1", "servers": SERVERS, **wishes}
    return backup_problems({**MANIFEST, **(manifest or {})}, **given)


@pytest.mark.parametrize("version", ["v1.36.3+k3s1", "v1.36.3+k3s2", "v1.36.10+k3s1", "v1.37.0+k3s1"])
def test_a_backup_is_restored_by_the_same_version_or_a_newer_one(version: str) -> None:
    assert problems(version=version) == []


@pytest.mark.parametrize(
    ("manifest", "wishes", "word"),
    [
        ({}, {"version": "v1.36.2+k3s9"}, "older"),
        ({}, {"version": "v1.36.3-rc1+k3s1"}, "older"),
        ({"k3s_version": "v1.36.3+k3s2"}, {}, "older"),
        ({"k3s_version": "v1.36.10+k3s1"}, {"version": "v1.36.9+k3s1"}, "older"),
        ({"cluster_name": "lab"}, {}, "the backup is of cluster lab, and the inventory describes home"),
        ({"datastore": "sqlite"}, {}, "restore it with pi1 alone in k3s_server, and add pi2 and pi3 afterwards"),
        ({}, {"external": True}, "k3s_datastore_endpoint"),
    ],
)
def test_a_backup_that_does_not_fit_is_refused(manifest: dict[str, Any], wishes: dict[str, Any], word: str) -> None:
    (problem,) = problems(manifest, **wishes)
    assert word in problem


def test_one_server_takes_a_backup_of_sqlite() -> None:
    assert problems({"datastore": "sqlite"}, servers=("pi1",)) == []


def test_machines_without_a_cluster_are_free() -> None:
    assert restore_obstacles([machine(name) for name in SERVERS], SERVERS, MANIFEST) == []


def test_a_cluster_is_overwritten_only_by_its_name() -> None:
    machines = [machine("pi1", live=True, datastore="etcd"), machine("pi2", datastore="etcd"), machine("pi3")]
    (refusal,) = restore_obstacles(machines, SERVERS, MANIFEST)
    assert "alive on pi1" in refusal
    assert "lie on pi2" in refusal
    assert "-e overwrite=home" in refusal
    assert restore_obstacles(machines, SERVERS, MANIFEST, word="home") == []
    assert "nothing was changed" in restore_obstacles(machines, SERVERS, MANIFEST, word="hmoe")[0]
    blank = [machine(name) for name in SERVERS]
    assert "nothing was changed" in restore_obstacles(blank, SERVERS, MANIFEST, word="hmoe")[0]


ALIVE = {"live": True, "running": True, "enabled": True, "datastore": "etcd", "cluster": MANIFEST["cluster"]}
OTHER = {**ALIVE, "cluster": "b" * 64}
PLACED = {"datastore": "etcd", "cluster": MANIFEST["cluster"]}


@pytest.mark.parametrize("name", ["20261128T030000Z", MANIFEST["name"]])
def test_what_a_killed_run_left_before_the_data_were_in_place_begins_anew(name: str) -> None:
    machines = [machine("pi1", **PLACED), machine("pi2"), machine("pi3")]
    refused = restore_obstacles(machines, SERVERS, {**MANIFEST, "name": name}, notes={"pi1": BEGUN})
    assert bool(refused) == (name != MANIFEST["name"]), "another backup's half-done work wants the word"
    assert is_half_done(machines[0], BEGUN)


@pytest.mark.parametrize(
    "since",
    [
        pytest.param(ALIVE, id="lives"),
        pytest.param(OTHER, id="another lives"),
        pytest.param({**ALIVE, "live": False, "running": False}, id="sleeps, and would start with the machine"),
        pytest.param({**PLACED, "running": True}, id="was started by hand"),
        pytest.param({**PLACED, "cluster": "b" * 64}, id="another sleeps"),
    ],
)
@pytest.mark.parametrize("name", [MANIFEST["name"], "20261128T030000Z"])
def test_a_cluster_that_was_made_after_half_a_restore_is_nobodys_half_done_work(
    since: dict[str, Any], name: str
) -> None:
    machines = [machine("pi1", **since), machine("pi2"), machine("pi3")]
    notes = dict.fromkeys(SERVERS, BEGUN)
    assert "-e overwrite=home" in restore_obstacles(machines, SERVERS, {**MANIFEST, "name": name}, notes=notes)[0]
    assert not is_half_done(machines[0], BEGUN)


def test_once_the_data_are_in_place_the_cluster_is_only_completed() -> None:
    machines = [machine("pi1", **ALIVE), machine("pi2", **ALIVE), machine("pi3")]
    notes = {"pi1": IN_PLACE, "pi2": BEGUN, "pi3": BEGUN}
    assert is_in_place(machines, SERVERS, MANIFEST, notes)
    assert restore_obstacles(machines, SERVERS, MANIFEST, notes=notes) == []
    stranger = [machines[0], machine("pi2", **OTHER), machines[2]]
    assert "alive on pi2" in restore_obstacles(stranger, SERVERS, MANIFEST, notes=notes)[0]


@pytest.mark.parametrize(
    ("first", "note"),
    [
        pytest.param(ALIVE, {}, id="the restore is over"),
        pytest.param(ALIVE, {"backup": MANIFEST["name"], "done": True}, id="a note of another form"),
        pytest.param(ALIVE, {**IN_PLACE, "backup": "20261128T030000Z"}, id="of another backup"),
        pytest.param(ALIVE, {**IN_PLACE, "cluster": "b" * 64}, id="of another cluster's backup"),
        pytest.param(OTHER, IN_PLACE, id="another cluster lives there"),
    ],
)
def test_a_cluster_that_lives_is_not_taken_for_an_interrupted_restore(
    first: dict[str, Any], note: dict[str, Any]
) -> None:
    machines = [machine("pi1", **first), machine("pi2", **ALIVE), machine("pi3")]
    notes = {"pi1": note, "pi2": IN_PLACE, "pi3": BEGUN}
    assert not is_in_place(machines, SERVERS, MANIFEST, notes)
    assert "alive on pi1 and pi2" in restore_obstacles(machines, SERVERS, MANIFEST, notes=notes)[0]


def test_data_that_are_gone_are_not_in_place() -> None:
    machines = [machine("pi1", cluster=MANIFEST["cluster"]), machine("pi2"), machine("pi3")]
    assert not is_in_place(machines, SERVERS, MANIFEST, {"pi1": IN_PLACE})
    assert not is_in_place(machines[1:], SERVERS, MANIFEST, {"pi1": IN_PLACE})


def test_what_an_older_cluster_has_left_beside_the_data_does_not_count() -> None:
    """An agent's part keeps the authority of the cluster that was overwritten."""
    assert is_half_done(machine("pi1", cluster="b" * 64), BEGUN)


def agents_to_be_servers(*, api: bool) -> list[dict[str, Any]]:
    probe = {"k3s": {"installed_roles": ["agent"], "api": {"ready": api}}}
    return [{"name": name, "role": "server", "problems": ["k3s_verion: a typo"], "probe": probe} for name in SERVERS]


def test_parameters_and_parts_are_told_before_anything_is_changed() -> None:
    typo, *parts = unfit(agents_to_be_servers(api=False))
    assert typo == "k3s_verion: a typo"
    assert [part.split(":")[0] for part in parts] == list(SERVERS)


def test_a_node_leaves_only_a_cluster_that_lives() -> None:
    dead = unfit(agents_to_be_servers(api=False))[-1]
    assert "remove_node" not in dead
    assert dead.endswith("give it a fresh card, or restore with it as agent")
    assert "remove_node -e node=pi3" in unfit(agents_to_be_servers(api=True))[-1]


def test_every_server_has_to_answer() -> None:
    (refusal,) = restore_obstacles([machine("pi1"), machine("pi3")], SERVERS, MANIFEST, word="home")
    assert refusal.startswith("pi2 did not answer")


def test_nodes_that_have_to_join_anew_are_stale() -> None:
    nodes = tuple(ClusterNode(name, ready=True) for name in ("pi1", "pi2", "pi3", "pi4", "pi9"))
    first = machine("pi1", live=True, datastore="etcd", nodes=nodes)
    joined, blank = machine("pi2", live=True, datastore="etcd"), machine("pi3")
    agent = replace(machine("pi4"), role="agent")
    assert stale_nodes(first, [first, joined, blank, agent]) == ["pi3", "pi9"]


def test_the_marks_of_a_node_are_the_operators() -> None:
    node = {
        "labels": {
            "kubernetes.io/hostname": "pi1",
            "node.kubernetes.io/instance-type": "k3s",
            "node-role.kubernetes.io/control-plane": "true",
            "node-role.kubernetes.io/worker": "true",
            "disk": "ssd",
        },
        "taints": [
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
            {"key": "quiet", "value": "yes", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"},
        ],
        "cordoned": True,
    }
    assert node_marks(node) == {
        "labels": {"node-role.kubernetes.io/worker": "true", "disk": "ssd"},
        "taints": [{"key": "quiet", "value": "yes", "effect": "NoSchedule"}],
        "cordoned": True,
    }


OUT_OF_SERVICE = {"hearth.cluster/out-of-service": "playbook"}


@pytest.mark.parametrize(
    ("noted", "cordoned"),
    [
        pytest.param({"cordoned": False, "cordoned_by_drain": False}, False, id="in service"),
        pytest.param({"cordoned": True, "cordoned_by_drain": True}, False, id="by a drain"),
        pytest.param({"cordoned": True, "cordoned_by_drain": False}, True, id="by a person"),
        pytest.param(
            {"cordoned": True, "cordoned_by_drain": False, "labels": OUT_OF_SERVICE}, True, id="by a person as well"
        ),
        pytest.param({"cordoned": True}, True, id="an older backup"),
        pytest.param({"cordoned": True, "labels": OUT_OF_SERVICE}, False, id="an older one, while a playbook drained"),
    ],
)
def test_what_takes_a_node_out_of_service_for_a_while_is_not_given_back(noted: dict[str, Any], cordoned: bool) -> None:
    marks = node_marks({"labels": {}, "taints": [], **noted})
    assert marks == {"labels": {}, "taints": [], "cordoned": cordoned}
