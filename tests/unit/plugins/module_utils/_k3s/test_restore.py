# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way of a restore, and what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import ClusterNode, Machine
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.restore import (
    backup_problems,
    node_marks,
    restore_obstacles,
    stale_nodes,
)

SERVERS = ("pi1", "pi2", "pi3")
MANIFEST: dict[str, Any] = {
    "name": "20261127T030000Z",
    "cluster_name": "home",
    "k3s_version": "v1.36.3+k3s1",
    "datastore": "etcd",
}


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


def test_what_an_interrupted_restore_has_left_is_in_nobodys_way() -> None:
    machines = [machine("pi1", live=True, datastore="etcd"), machine("pi2", datastore="etcd"), machine("pi3")]
    assert restore_obstacles(machines, SERVERS, MANIFEST, begun=["pi1", "pi2"]) == []
    assert "lie on pi2" in restore_obstacles(machines, SERVERS, MANIFEST, begun=["pi1"])[0]


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
