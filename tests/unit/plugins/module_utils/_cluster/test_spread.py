# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether any node can take a pod of a node that is drained. Its own is pi2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spread import why_nowhere

from tests.support.nodes import node, pod

NODES = (node("pi1"), node("pi2"), node("pi3"))
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def evenly(**more: Any) -> dict[str, Any]:
    constraint = {
        "maxSkew": 1,
        "topologyKey": HOST,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    return {"topologySpreadConstraints": [{**constraint, **more}]}


def webs(where: str, **spec: Any) -> list[dict[str, Any]]:
    """Pods of an application on these nodes; the first one is looked at."""
    return [pod(f"web-{number}", on, labels={"app": "web"}, **spec) for number, on in enumerate(where.split())]


def why(where: str, nodes: Sequence[dict[str, Any]] = NODES, **more: Any) -> str:
    pods = webs(where, **evenly(**more))
    return why_nowhere(pods[0], nodes, [], pods)


def test_one_other_node_is_enough_and_none_is_said_so() -> None:
    ssd = pod("web-1", nodeSelector={"disk": "ssd"})
    assert why_nowhere(ssd, [*NODES, node("pi4", labels={"disk": "ssd"})], [], []) == ""
    assert why_nowhere(ssd, [node("pi2")], [], []) == "there is no other node"


def test_a_drained_node_counts_as_an_empty_one_and_the_way_out_is_named() -> None:
    assert why("pi2 pi1 pi3") == (
        f"no other node can take it: pi1 would break its topologySpreadConstraint over {HOST} (maxSkew: 1);"
        f" pi3 would break its topologySpreadConstraint over {HOST} (maxSkew: 1); unless the constraint says"
        " nodeTaintsPolicy: Honor, the drained node counts as one that is empty"
    )


@pytest.mark.parametrize(
    ("where", "more"),
    [
        ("pi2 pi1", {}),
        ("pi2 pi2", {}),
        ("pi2 pi1 pi3", {"maxSkew": 2}),
        ("pi2 pi1 pi3", {"nodeTaintsPolicy": "Honor"}),
        ("pi2 pi1 pi3", {"whenUnsatisfiable": "ScheduleAnyway"}),
        ("pi2 pi1 pi3", {"labelSelector": {"matchLabels": {"app": "other"}}}),
        ("pi2 pi1 pi3", {"labelSelector": None}),
    ],
)
def test_where_there_is_room_nothing_is_said(where: str, more: dict[str, Any]) -> None:
    assert why(where, **more) == ""


def test_pods_of_another_revision_count_only_where_no_label_tells_them_apart() -> None:
    pods = webs("pi2 pi1 pi3", **evenly(matchLabelKeys=["pod-template-hash"]))
    for each, revision in zip(pods, "abb", strict=True):
        each["metadata"]["labels"]["pod-template-hash"] = revision
    assert why_nowhere(pods[0], NODES, [], pods) == ""
    assert why("pi2 pi1 pi3", matchLabelKeys=["pod-template-hash"])


def test_pods_that_go_do_not_count() -> None:
    pods = webs("pi2 pi1 pi3", **evenly())
    pods[1]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert why_nowhere(pods[0], NODES, [], pods) == ""


def test_nodes_that_the_pod_may_not_use_count_only_if_it_says_so() -> None:
    nodes = [*(node(name, labels={"disk": "ssd"}) for name in ("pi1", "pi2", "pi3")), node("pi4")]
    affine = {"nodeSelector": {"disk": "ssd"}, **evenly(nodeTaintsPolicy="Honor")}
    pods = webs("pi2 pi1 pi3", **affine)
    assert why_nowhere(pods[0], nodes, [], pods) == ""
    pods = webs("pi2 pi1 pi3", **affine | evenly(nodeTaintsPolicy="Honor", nodeAffinityPolicy="Ignore"))
    assert "would break" in why_nowhere(pods[0], nodes, [], pods)


def test_other_domains_than_hosts() -> None:
    zoned = [node(name, labels={ZONE: zone}) for name, zone in (("pi1", "a"), ("pi2", "a"), ("pi3", "b"))]
    assert why("pi2 pi1 pi3", zoned, topologyKey=ZONE) == ""
    assert why("pi2 pi3", [zoned[1], zoned[2]], topologyKey=ZONE).startswith("no other node can take it: pi3 would")
    assert f"pi1 has not the label {ZONE}" in why("pi2", NODES, topologyKey=ZONE)
    few = why("pi2 pi1 pi3", minDomains=4, nodeTaintsPolicy="Honor")
    assert "maxSkew: 1" in few
    assert "unless" not in few, "that would not help"
