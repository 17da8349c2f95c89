# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether any node can take a pod whose own is drained, also by how pods must be spread, and
by the company that it needs.

For the scheduler a drained node is an empty one over which the pods are to be spread. So it may leave a pod without
any node, though each of the others could take it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from .._kube.change.live import Live
from .._kube.fields import field, integer, mapping, sequence, text
from .company import why_alone
from .node import name_of
from .placement import (
    Volume,
    is_alive,
    is_selected,
    label_objections,
    taint_objections,
    tolerates_cordon,
    why_not,
)

_REMEDY = "unless the constraint says nodeTaintsPolicy: Honor, the drained node counts as one that is empty"


def why_nowhere(
    pod: Live,
    nodes: Sequence[Live],
    volumes: Sequence[Volume],
    pods: Sequence[Live],
    staying: Set[str] = frozenset(),
) -> str:
    """Why none of the other nodes can take a pod once its own is drained; nothing where one can.

    `staying` are the uids of pods that do not leave it then.
    """

    def reason(node: Live, places: Sequence[Live]) -> str:
        return (
            why_not(pod, node, volumes, pods)
            or _uneven(pod, node, places, pods)
            or why_alone(pod, node, nodes, pods, staying)
        )

    others = [node for node in nodes if name_of(node) != text(pod, "spec", "nodeName")]
    if not others:
        return "there is no other node"
    reasons = [reason(node, nodes) for node in others]
    if not all(reasons):
        return ""
    pinned = [volume for volume in volumes if not any(volume.can_be_used_on(node) for node in others)]
    if pinned:
        words = " and ".join(map(str, pinned))
        return (
            f"its data cannot move: {'volumes' if len(pinned) > 1 else 'volume'} {words} can be used on no other node"
        )
    told = "; ".join(f"{name_of(node)} {said}" for node, said in zip(others, reasons, strict=True))
    honoured = [reason(node, others) for node in others]
    remedy = "" if all(honoured) else f"; {_REMEDY}"
    return f"no other node can take it: {told}{remedy}"


def _uneven(pod: Live, node: Live, nodes: Sequence[Live], pods: Sequence[Live]) -> str:
    """Name a constraint that a pod would break on a node, reckoned as the scheduler does once its own is drained."""
    constraints = [
        each
        for each in sequence(pod, "spec", "topologySpreadConstraints")
        if text(each, "whenUnsatisfiable") != "ScheduleAnyway"
    ]
    keys = [text(each, "topologyKey") for each in constraints]
    places = [each for each in nodes if all(key in mapping(each, "metadata", "labels") for key in keys)]
    for each in constraints:
        key, most = text(each, "topologyKey"), integer(each, "maxSkew", default=1)
        here = text(mapping(node, "metadata", "labels"), key)
        if not here:
            return f"has not the label {key}, over which it must be spread"
        counts = _spread(pod, each, places, pods)
        fewest = min(counts.values(), default=0) if len(counts) >= integer(each, "minDomains", default=1) else 0
        if counts.get(here, 0) + _is_spread(each, pod, pod) - fewest > most:
            return f"would break its topologySpreadConstraint over {key} (maxSkew: {most})"
    return ""


def _spread(pod: Live, constraint: Mapping[str, Any], nodes: Sequence[Live], pods: Sequence[Live]) -> dict[str, int]:
    """How many pods there are in each domain of a constraint when the node of this one is cordoned and empty."""
    own, key, counts = text(pod, "spec", "nodeName"), text(constraint, "topologyKey"), dict[str, int]()
    for node in nodes:
        is_own = name_of(node) == own
        closed = (is_own and not tolerates_cordon(pod)) or any(taint_objections(pod, node))
        if closed and text(constraint, "nodeTaintsPolicy") == "Honor":
            continue
        if text(constraint, "nodeAffinityPolicy") != "Ignore" and any(label_objections(pod, node)):
            continue
        there = [] if is_own else [each for each in pods if text(each, "spec", "nodeName") == name_of(node)]
        domain = text(mapping(node, "metadata", "labels"), key)
        counts[domain] = counts.get(domain, 0) + sum(_is_spread(constraint, pod, each) for each in there)
    return counts


def _is_spread(constraint: Mapping[str, Any], pod: Live, other: Live) -> bool:
    """Whether another pod is one of those among which a constraint wants this one to be spread."""
    selector, labels = field(constraint, "labelSelector"), mapping(pod, "metadata", "labels")
    alike = [key for key in sequence(constraint, "matchLabelKeys") if key in labels]
    return (
        isinstance(selector, Mapping)
        and is_selected(selector, other)
        and all(mapping(other, "metadata", "labels").get(key) == labels[key] for key in alike)
        and text(other, "metadata", "namespace") == text(pod, "metadata", "namespace")
        and is_alive(other)
    )
