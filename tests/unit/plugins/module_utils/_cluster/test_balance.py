# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._cluster.balance import due, maker_of, next_to_move
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Sight
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.node import name_of

from tests.support.nodes import claim, local_volume, node, pod, uses

NODES = [node("pi1"), node("pi2"), node("pi3")]


def spread(**places: str) -> list[dict[str, Any]]:
    """Pods of a workload by its name: `web="pi1 pi1 pi3"`."""
    return [
        pod(f"{name}-{number}", on)
        for name, where in places.items()
        for number, on in enumerate(where.split(), start=1)
    ]


def chosen(pods: list[dict[str, Any]], asked: set[str] | None = None, **seen: Any) -> str:
    found = next_to_move("pi2", Sight(**{"nodes": NODES, "pods": pods, **seen}), asked or set())
    return name_of(found) if found else ""


def test_a_share_is_an_even_part_rounded_down() -> None:
    assert due("pi2", Sight(NODES, spread(web="pi1 pi3"))) == 0
    assert due("pi2", Sight(NODES, spread(web="pi1 pi3 pi1"))) == 1
    assert due("pi2", Sight(NODES, spread(web="pi1 pi3 pi1", api="pi2 pi1 pi3 pi3"))) == 1
    assert due("pi2", Sight([NODES[0], node("pi2", unschedulable=True)], spread(web="pi1 pi1"))) == 0


def test_pods_that_are_alone_are_not_counted_and_not_asked() -> None:
    pods = [
        *spread(web="pi1", db="pi1", api="pi1"),
        pod("log-1", "pi1", owner="DaemonSet"),
        pod("bare", "pi1", owner=None),
    ]
    assert due("pi2", Sight(NODES, pods)) == 0
    assert chosen(pods) == ""


def test_the_fullest_node_gives_a_pod_of_what_the_node_has_least_of() -> None:
    assert chosen(spread(web="pi1 pi1 pi3")).startswith("web-")
    assert chosen(spread(web="pi2 pi1 pi1 pi3", api="pi1 pi1 pi3")) in ("api-1", "api-2")


def test_a_workload_is_asked_once() -> None:
    pods = spread(web="pi1 pi1 pi1 pi3")
    assert chosen(pods, {maker_of(pods[0])}) == ""


def test_nothing_goes_from_a_node_that_has_no_more() -> None:
    assert chosen(spread(web="pi1 pi2 pi3")) == ""


def test_a_pod_that_the_node_cannot_take_stays() -> None:
    pods = [pod(f"db-{number}", "pi1", owner="StatefulSet", volumes=uses("data")) for number in (1, 2)]
    seen = {"claims": [claim("data", "pv")], "volumes": [local_volume("pv", "pi1")]}
    assert chosen(pods, **seen) == ""
    assert chosen(pods) == "db-1"
