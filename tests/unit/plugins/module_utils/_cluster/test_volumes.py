# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volumes of a node move where, decided from lists of objects and from what machines say of themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Policy, Sight, plan_drain
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.volumes import (
    OLD_COPIES,
    RECORD,
    MovePlan,
    OldCopy,
    left_elsewhere,
    plan_moves,
    record_for,
    target_of,
    without_old_copies,
)
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError, InputError

from tests.support.nodes import claim, local_volume, node, pod, uses

NODES = [node("pi1"), node("pi2"), node("pi3")]
DATABASE = pod("db-0", owner="StatefulSet", volumes=uses("data"))
MB = 1_000_000


def sight(*pods: dict[str, Any], **seen: Any) -> Sight:
    pinned = {"claims": [claim("data", "pv")], "volumes": [local_volume("pv", "pi2")]}
    return Sight(**{"nodes": NODES, "pods": pods, **pinned, **seen})


def refusal(plan: MovePlan, to: str = "", measured: Any = None) -> str:
    with pytest.raises((ClusterError, InputError)) as refused:
        target_of(plan, to, measured or {})
    return str(refused.value)


def disks(pi1: int, pi3: int, stored: int = 10 * MB) -> dict[str, Any]:
    path = "/var/lib/rancher/k3s/storage/pv"
    return {"pi2": {"stored": {path: stored}}, "pi1": {"room": pi1}, "pi3": {"room": pi3}}


def test_a_volume_of_the_node_moves_to_a_directory_that_it_never_had() -> None:
    (move,) = plan_moves("pi2", sight(DATABASE)).moves
    assert (move.claim, move.volume, move.pods) == ("default/data", "pv", ("default/db-0",))
    assert move.path == "/var/lib/rancher/k3s/storage/pv"
    assert move.new_path == "/var/lib/rancher/k3s/storage/pv.moved-1"
    moved = local_volume("pv", "pi2")
    moved["spec"]["hostPath"]["path"] = move.new_path
    (again,) = plan_moves("pi2", sight(DATABASE, volumes=[moved])).moves
    assert again.new_path == "/var/lib/rancher/k3s/storage/pv.moved-2"


@pytest.mark.parametrize("is_moving", [False, True], ids=["lies there", "is on its way there"])
def test_a_volume_does_not_move_to_where_another_of_its_path_has_moved(*, is_moving: bool) -> None:
    """As where an operator has made one of each node, all with the same path."""
    held, there = interrupted()
    own, held["metadata"]["name"], there["metadata"]["name"] = claim("data", "pv"), "other", "other"
    held["spec"]["volumeName"] = "other"
    if not is_moving:
        del held["metadata"]["annotations"]
    volumes = [local_volume("pv", "pi2"), *([] if is_moving else [there])]
    (move,) = [each for each in plan_moves("pi2", sight(claims=[own, held], volumes=volumes)).moves if not each.to]
    assert (move.claim, move.new_path) == ("default/data", "/var/lib/rancher/k3s/storage/pv.moved-2")


def test_volumes_of_other_nodes_and_of_no_claim_stay() -> None:
    elsewhere = sight(claims=[claim("data", "pv")], volumes=[local_volume("pv", "pi1"), local_volume("free", "pi2")])
    assert plan_moves("pi2", elsewhere).moves == ()
    assert target_of(plan_moves("pi2", elsewhere), "", {}) == ""


def test_a_volume_that_any_node_can_use_is_no_business_of_ours() -> None:
    shared = local_volume("pv", "pi2")
    del shared["spec"]["nodeAffinity"]
    assert plan_moves("pi2", sight(DATABASE, volumes=[shared])).moves == ()


def test_the_node_with_most_room_takes_it_unless_another_is_named() -> None:
    plan = plan_moves("pi2", sight(DATABASE))
    assert target_of(plan, "", {}) == ""
    assert target_of(plan, "", disks(20 * MB, 30 * MB)) == "pi3"
    assert target_of(plan, "pi1", disks(20 * MB, 30 * MB)) == "pi1"
    assert "node pi1: it has room for 5 MB, and 10 MB are stored" in refusal(plan, "pi1", disks(5 * MB, 30 * MB))
    told = refusal(plan, "", disks(5 * MB, 6 * MB))
    assert "the 1 volume of node pi2 cannot be moved" in told
    assert "pi1: it has room for 5 MB" in told
    assert "pi3: it has room for 6 MB" in told


def test_the_node_to_which_a_copy_was_begun_takes_it_and_what_is_left_on_another_is_named() -> None:
    plan = plan_moves("pi2", sight(DATABASE))
    measured = disks(20 * MB, 30 * MB)
    measured["pi1"]["left"] = 4 * MB
    assert target_of(plan, "", measured) == "pi1"
    assert list(left_elsewhere(plan, "pi1", measured)) == []
    assert target_of(plan, "pi3", measured) == "pi3"
    (told,) = left_elsewhere(plan, "pi3", measured)
    assert told.startswith("Node pi1 holds 4 MB that an earlier run has copied there; once the volumes are on node pi3")
    assert "/var/lib/rancher/k3s/storage/pv.moved-1.incoming" in told
    measured["pi1"]["room"] = 5 * MB
    assert target_of(plan, "", measured) == "pi3"


def test_a_machine_that_does_not_answer_is_no_target_and_no_source() -> None:
    plan = plan_moves("pi2", sight(DATABASE))
    measured = disks(20 * MB, 30 * MB)
    silent = {"unreachable": True, "msg": "No route to host"}
    assert target_of(plan, "", {**measured, "pi3": silent}) == "pi1"
    assert "pi3: its machine cannot be asked: No route to host" in refusal(plan, "pi3", {**measured, "pi3": silent})
    assert "node pi2: its machine cannot be read: No route to host" in refusal(plan, "", {**measured, "pi2": silent})


@pytest.mark.parametrize(
    ("pods", "told"),
    [
        ([pod("db-0", owner="DaemonSet", volumes=uses("data"))], "default/db-0 uses it, which DaemonSet db runs on"),
        (
            [pod("db-0", volumes=uses("data"), tolerations=[{"operator": "Exists"}])],
            "pod default/db-0 uses it, and would come back to the cordoned node",
        ),
        ([pod("db-0", volumes=uses("data"), nodeSelector={"disk": "ssd"})], "node pi1: it has not the label disk=ssd"),
    ],
)
def test_pods_that_would_not_follow_are_named(pods: list[dict[str, Any]], told: str) -> None:
    assert told in refusal(plan_moves("pi2", sight(*pods)))


def test_only_directories_move() -> None:
    device, cloud = local_volume("pv", "pi2"), local_volume("pv", "pi2")
    device["spec"]["volumeMode"] = "Block"
    cloud["spec"]["csi"] = {"driver": "example.org", "volumeHandle": "x"}
    del cloud["spec"]["hostPath"]
    assert "its volume pv is a block device" in refusal(plan_moves("pi2", sight(volumes=[device])))
    assert "its volume pv is no directory of the machine" in refusal(plan_moves("pi2", sight(volumes=[cloud])))


def test_a_claim_that_no_pod_uses_moves_to_a_node_in_service() -> None:
    nodes = [node("pi1", unschedulable=True), node("pi2"), node("pi3", ready=False)]
    told = refusal(plan_moves("pi2", sight(nodes=nodes)))
    assert "node pi1: it is cordoned" in told
    assert "node pi3: it is not Ready" in told
    assert target_of(plan_moves("pi2", sight()), "pi1", {}) == "pi1"


def test_wrong_names_are_told_with_the_right_ones() -> None:
    assert "There is no node pi9 in this cluster" in refusal(plan_moves("pi9", sight()))
    assert "There is no other node pi4 in this cluster" in refusal(plan_moves("pi2", sight(DATABASE)), "pi4")
    assert "There is no other node pi2" in refusal(plan_moves("pi2", sight(DATABASE)), "pi2")
    assert "there is no other node" in refusal(plan_moves("pi2", sight(DATABASE, nodes=[node("pi2")])))


def interrupted() -> tuple[dict[str, Any], dict[str, Any]]:
    """A claim in the middle of a move from pi2 to pi3, and the volume that it will have."""
    held, volume = claim("data", "pv"), local_volume("pv", "pi2")
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
    (move,) = plan_moves("pi2", sight()).moves
    record = record_for(held, volume, move, "pi2", NODES[2])
    held["metadata"]["annotations"] = {RECORD: json.dumps(record)}
    return held, record["volume"]


def test_the_record_holds_all_that_the_new_volume_needs() -> None:
    held, new = interrupted()
    record = json.loads(held["metadata"]["annotations"][RECORD])
    assert (record["from"], record["to"], record["reclaim"]) == ("pi2", "pi3", "Delete")
    assert new["spec"]["hostPath"]["path"] == "/var/lib/rancher/k3s/storage/pv.moved-1"
    assert new["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert new["spec"]["claimRef"]["name"] == "data"
    assert plan_moves("pi3", sight(volumes=[new])).moves[0].volume == "pv"
    old = [{"node": "pi2", "path": "/var/lib/rancher/k3s/storage/pv"}]
    assert json.loads(new["metadata"]["annotations"][OLD_COPIES]) == old


@pytest.mark.parametrize("is_made", [False, True], ids=["no volume", "the new volume"])
def test_an_interrupted_move_is_ended_and_nowhere_else(*, is_made: bool) -> None:
    held, new = interrupted()
    plan = plan_moves("pi2", sight(DATABASE, claims=[held], volumes=[new] if is_made else []))
    (move,) = plan.moves
    assert (move.is_copied, move.to, move.new_path) == (True, "pi3", "/var/lib/rancher/k3s/storage/pv.moved-1")
    assert move.path == "/var/lib/rancher/k3s/storage/pv"
    assert target_of(plan, "", {}) == "pi3"
    assert "an earlier run has begun to move volumes to pi3" in refusal(plan, "pi1")


def test_a_move_that_was_only_announced_begins_anew() -> None:
    held, _new = interrupted()
    (move,) = plan_moves("pi2", sight(DATABASE, claims=[held])).moves
    assert not move.is_copied


def test_the_policy_of_a_volume_survives_an_interruption() -> None:
    held, _new = interrupted()
    volume = local_volume("pv", "pi2")
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"  # as the interrupted run has set it
    (move,) = plan_moves("pi2", sight(claims=[held])).moves
    assert record_for(held, volume, move, "pi2", NODES[0])["reclaim"] == "Delete"


def test_what_is_left_behind_is_listed_until_it_is_forgotten() -> None:
    held, new = interrupted()
    seen = sight(claims=[held], volumes=[new])
    left = OldCopy("default/data", "pi2", "/var/lib/rancher/k3s/storage/pv")
    assert plan_moves("pi2", seen).old_copies == (left,)
    assert plan_moves("pi1", seen).old_copies == ()
    assert without_old_copies(new, "pi2") == {"metadata": {"annotations": {OLD_COPIES: None}}}


def test_a_directory_that_a_volume_uses_is_no_old_copy() -> None:
    held, new = interrupted()
    assert plan_moves("pi2", sight(claims=[held], volumes=[new, local_volume("pv", "pi2")])).old_copies == ()


def test_a_drain_evicts_what_waits_for_its_volume_alone() -> None:
    other = pod("other-0", owner="StatefulSet", volumes=uses("data"), nodeSelector={"disk": "ssd"})
    plan = plan_drain("pi2", sight(DATABASE, other), Policy(moving_claims=["default/data"]))
    assert [verdict.name for verdict in plan.refused] == ["default/other-0"]
    (leaving,) = plan.leaving
    assert (leaving.name, leaving.returns) == ("default/db-0", False)
    assert "waits for volume pv (claim default/data" in leaving.reason
