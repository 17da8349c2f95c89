# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which pods give a node that has returned its share of the work.

A workload that runs in several pods loses none of its service when one of them moves; only such workloads are asked,
and each for one pod at most. A node's share is what there would be on it if all nodes in service had as many of their
pods. Where a pod goes that leaves its node is the scheduler's business: it prefers a node that has less to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from .._kube.change.live import Live, uid_of
from .._kube.fields import conditions, text
from .drain import Sight, controller_of
from .node import is_cordoned, is_ready, name_of
from .placement import why_not


def due(node: str, sight: Sight) -> int:
    """How many pods a node lacks to its share."""
    in_service = [each for each in sight.nodes if is_ready(each) and not is_cordoned(each)]
    movable = _movable(sight)
    if node not in map(name_of, in_service):
        return 0
    return max(0, len(movable) // len(in_service) - _count(movable)[node])


def next_to_move(node: str, sight: Sight, asked: Collection[str]) -> Live | None:
    """The pod that should leave its node next: of the fullest node, and of a workload that is on the node the least.

    `asked` are the uids of the workloads that have given a pod already.
    """
    movable, here = _movable(sight), next((each for each in sight.nodes if name_of(each) == node), None)
    fullest, own = _count(movable), Counter(maker_of(pod) for pod in movable if _node_of(pod) == node)
    able = [
        pod
        for pod in movable
        if here is not None
        and _node_of(pod) != node
        and maker_of(pod) not in asked
        and fullest[_node_of(pod)] > fullest[node] + 1
        and not why_not(pod, here, sight.volumes_of(pod), sight.pods)
    ]
    return min(able, key=lambda pod: (own[maker_of(pod)], -fullest[_node_of(pod)], uid_of(pod)), default=None)


def maker_of(pod: Live) -> str:
    """The uid of what made a pod and its like."""
    return text(controller_of(pod), "uid")


def _movable(sight: Sight) -> list[Live]:
    """Pods that serve, of workloads that have several of them."""
    serving = [
        pod
        for pod in sight.pods
        if text(controller_of(pod), "kind") in ("ReplicaSet", "StatefulSet")
        and not text(pod, "metadata", "deletionTimestamp")
        and text(conditions(pod), "Ready", "status") == "True"
    ]
    several = Counter(map(maker_of, serving))
    return [pod for pod in serving if several[maker_of(pod)] > 1]


def _count(pods: Sequence[Live]) -> Counter[str]:
    return Counter(map(_node_of, pods))


def _node_of(pod: Live) -> str:
    return text(pod, "spec", "nodeName")
