# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a pod finds on another node the pods beside which it must run.

As for the scheduler, another pod is one of them only if all terms are about it; and the first of several that want to
be together needs none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from .._kube.change.live import Live, uid_of
from .._kube.fields import mapping, sequence, text
from .node import is_ready, name_of
from .placement import has_ended, is_alive, is_meant


def why_alone(pod: Live, node: Live, nodes: Sequence[Live], pods: Sequence[Live], staying: Set[str]) -> str:
    """Say that none of them is where a node is; nothing where that is not certain.

    One that leaves the drained node, is ending, waits for a node, or lies on one that ails may be there by and by.
    `staying` are the uids of pods that do not leave the drained one.
    """
    path = ("spec", "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = sequence(pod, *path)
    if not terms or not all(map(_is_plain, terms)):
        return ""
    meant = [other for other in pods if not has_ended(other) and all(is_meant(term, pod, other) for term in terms)]
    company = [other for other in meant if uid_of(other) != uid_of(pod)]
    is_first = not company and all(is_meant(term, pod, pod) for term in terms)
    calm = {name_of(each) for each in nodes if is_ready(each)} - {_node_of(pod)}
    restless = {uid_of(each) for each in company if not is_alive(each) or _node_of(each) not in calm}
    if is_first or restless - staying:
        return ""
    places = {name_of(each): mapping(each, "metadata", "labels") for each in nodes}
    for key in (text(term, "topologyKey") for term in terms):
        here = text(places[name_of(node)], key)
        if not here or here not in (text(places.get(_node_of(each)), key) for each in company):
            return f"lacks the pods beside which it must run (podAffinity over {key})"
    return ""


def _is_plain(term: Mapping[str, Any]) -> bool:
    """Whether it is certain which pods a term is about."""
    return bool(mapping(term, "labelSelector")) and "namespaceSelector" not in term


def _node_of(pod: Live) -> str:
    return text(pod, "spec", "nodeName")
