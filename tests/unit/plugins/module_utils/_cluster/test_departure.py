# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes may leave the cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.departure import (
    Departure,
    Words,
    other_node,
    plan_departure,
)

from tests.support import nodes


def server(name: str, *, ready: bool = True, voter: bool | None = True) -> dict[str, Any]:
    """A server with embedded etcd; with a voter of None it keeps its data elsewhere."""
    live = nodes.node(name, ready=ready, labels={"node-role.kubernetes.io/control-plane": "true"})
    if voter is not None:
        live["metadata"]["annotations"] = {"etcd.k3s.cattle.io/node-name": f"{name}-1234abcd"}
        live["status"]["conditions"].append({"type": "EtcdIsVoter", "status": str(voter)})
    return live


def plan(name: str, *live: dict[str, Any], volumes: tuple[dict[str, Any], ...] = (), **words: bool | None) -> Departure:
    return plan_departure(name, live, volumes, Words(**words))


@pytest.mark.parametrize(
    ("live", "told"),
    [
        pytest.param([server("pi1"), server("pi2"), server("pi3")], "", id="one of three"),
        pytest.param([server("pi1"), server("pi2")], "", id="one of two"),
        pytest.param([server("pi1"), server("pi2", ready=False), server("pi3")], "", id="the dead one of three"),
        pytest.param([server("pi1"), server("pi2", voter=None)], "", id="one of two with a database elsewhere"),
        pytest.param(
            [server("pi1"), server("pi2"), server("pi3", ready=False)],
            "etcd would have 2 members, of which 2 must be healthy, and 1 would be: mend pi3 first",
            id="a living one beside a dead one",
        ),
        pytest.param(
            [server("pi1"), server("pi2"), server("pi3", voter=False)], "mend pi3 first", id="one beside a learner"
        ),
        pytest.param(
            [server("pi1", ready=False), server("pi2"), server("pi3", ready=False)],
            "and none would be: mend pi1, pi3 first",
            id="the last one alive",
        ),
        pytest.param([server("pi2"), nodes.node("pi1")], "pi2 is the last server", id="the last server"),
    ],
)
def test_a_server_goes_only_if_the_others_can_go_on(live: list[dict[str, Any]], told: str) -> None:
    problems = plan("pi2", *live).problems
    assert len(problems) == bool(told)
    assert told in "".join(problems)


@pytest.mark.parametrize(
    ("live", "stops_first"),
    [
        ([server("pi1"), server("pi2"), server("pi3")], True),
        ([server("pi1"), server("pi2")], False),
        ([server("pi1"), server("pi2"), server("pi3", ready=False)], False),
        ([server("pi1", voter=None), server("pi2", voter=None)], True),
        ([server("pi1"), nodes.node("pi2")], True),
    ],
)
def test_k3s_is_stopped_first_where_etcd_has_a_quorum_without_it(live: list[dict[str, Any]], stops_first: bool) -> None:
    assert plan("pi2", *live).stops_first is stops_first


def test_an_agent_is_no_matter_of_quorum() -> None:
    departure = plan("pi4", server("pi1"), server("pi2", ready=False), nodes.node("pi4"))
    assert departure == Departure(exists=True, ready=True)


def test_a_node_that_is_not_there_is_no_problem() -> None:
    assert plan("pi9", server("pi1")) == Departure()


def test_a_machine_that_lives_is_not_lost() -> None:
    assert "is Ready, so it is not lost" in plan("pi2", server("pi1"), nodes.node("pi2"), lost=True).problems[0]
    assert plan("pi2", server("pi1"), nodes.node("pi2", ready=False), lost=True).problems == ()


def volume(name: str, node: str, phase: str = "Bound") -> dict[str, Any]:
    live = nodes.local_volume(name, node)
    live["spec"]["claimRef"] = {"namespace": "postgresql", "name": f"data-{name}"}
    return {**live, "status": {"phase": phase}}


def leaving(*volumes: dict[str, Any], **words: bool | None) -> Departure:
    return plan("pi2", server("pi1"), nodes.node("pi2"), volumes=volumes, **words)


def test_volumes_that_lie_there_alone_are_named_and_kept() -> None:
    everywhere = {"kind": "PersistentVolume", "metadata": {"name": "nfs"}, "spec": {"nfs": {}}}
    departure = leaving(volume("pvc-1", "pi2"), volume("pvc-2", "pi1"), everywhere)
    assert len(departure.volumes) == 1
    assert departure.claims == ("postgresql/data-pvc-1",)
    (problem,) = departure.problems
    assert "claim postgresql/data-pvc-1" in problem
    assert "-e move_volumes=true, or give them up with -e delete_volumes=true" in problem
    assert not leaving(volume("pvc-1", "pi2"), delete_volumes=True).problems
    assert not leaving(volume("pvc-1", "pi2"), move_volumes=True).problems


@pytest.mark.parametrize("phase", ["Released", "Available", "Failed"])
def test_a_volume_that_no_claim_has_cannot_be_taken_along(phase: str) -> None:
    kept = volume("pvc-1", "pi2", phase)
    (problem,) = leaving(kept, volume("pvc-2", "pi2"), move_volumes=True).problems
    assert "pvc-1" in problem
    assert "pvc-2" not in problem
    assert "no claim has them any more, so they cannot move" in problem
    assert not leaving(kept, delete_volumes=True).problems


def test_what_cannot_be_moved_is_not_told_to_be() -> None:
    (problem,) = leaving(volume("pvc-1", "pi2"), move_volumes=None).problems
    assert "move_volumes" not in problem
    assert "-e delete_volumes=true" in problem


def test_a_machine_that_is_another_node_is_known_by_its_address() -> None:
    live = [nodes.node("pi1"), nodes.node("pi2"), nodes.node("pi3", ready=False)]
    for node, address in zip(live, ("192.168.1.11", "192.168.1.12", "192.168.1.13"), strict=True):
        node["status"]["addresses"] = [{"type": "InternalIP", "address": address}]
    assert other_node(live, "server2", ["fe80::1", "192.168.1.12"]) == "pi2"
    assert other_node(live, "pi2", ["192.168.1.12"]) == ""
    assert other_node(live, "pi9", ["192.168.1.99"]) == ""
    assert other_node(live, "pi9", ["192.168.1.13"]) == "", "whoever had it is gone"
