# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which nodes could take a pod: by their labels and taints, by where its volumes lie, and by
the pods beside which it must not run.

Whether there is room for it is the scheduler's business, and changes from one minute to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kube.change.live import Live, uid_of
from .._kube.fields import integer, mapping, sequence, text
from .node import CORDON_TAINT, is_cordoned, is_ready, name_of, words_of_taint

HOSTNAME = "kubernetes.io/hostname"
_CORDON: Mapping[str, str] = {"key": CORDON_TAINT, "value": "", "effect": "NoSchedule"}
_KEEPS_AWAY = frozenset({"NoSchedule", "NoExecute"})

_OPERATORS: Mapping[str, Callable[[Any, Sequence[Any]], bool]] = {
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _wanted: value is not None,
    "DoesNotExist": lambda value, _wanted: value is None,
    "Gt": lambda value, wanted: _compared(value, wanted) > 0,
    "Lt": lambda value, wanted: _compared(value, wanted) < 0,
}


@dataclass(frozen=True)
class Volume:
    """A volume that a pod has claimed already."""

    claim: str
    volume: Live

    def __str__(self) -> str:
        spec = mapping(self.volume, "spec")
        path = text(spec, "local", "path") or text(spec, "hostPath", "path")
        where = f", {path}" if path else ""
        return f"{name_of(self.volume)} (claim {self.claim}{where})"

    def can_be_used_on(self, node: Live) -> bool:
        required = mapping(self.volume, "spec", "nodeAffinity", "required")
        return not required or _fits_any_term(required, node)


def why_not(pod: Live, node: Live, volumes: Sequence[Volume], pods: Sequence[Live]) -> str:
    """Why a node cannot take a pod, as the end of a sentence about the node; nothing where it can."""
    return next(filter(None, _objections(pod, node, volumes, pods)), "")


def _objections(pod: Live, node: Live, volumes: Sequence[Volume], pods: Sequence[Live]) -> Iterator[str]:
    yield "" if is_ready(node) else "is not Ready"
    yield from taint_objections(pod, node)
    yield from label_objections(pod, node)
    for volume in volumes:
        if not volume.can_be_used_on(node):
            yield f"cannot use the volume {name_of(volume.volume)}"
    there = [
        other
        for other in pods
        if text(other, "spec", "nodeName") == name_of(node) and is_alive(other) and uid_of(other) != uid_of(pod)
    ]
    yield _avoided(pod, there)
    yield _without_port(pod, there)


def taint_objections(pod: Live, node: Live) -> Iterator[str]:
    if is_cordoned(node) and not tolerates_cordon(pod):
        yield "is cordoned"
    tolerations = sequence(pod, "spec", "tolerations")
    for taint in sequence(node, "spec", "taints"):
        is_cordon = text(taint, "key") == CORDON_TAINT
        if not is_cordon and text(taint, "effect") in _KEEPS_AWAY and not _is_tolerated(taint, tolerations):
            yield f"has the taint {words_of_taint(taint)}"


def tolerates_cordon(pod: Live) -> bool:
    """Whether a pod may come to a node that is cordoned."""
    return _is_tolerated(_CORDON, sequence(pod, "spec", "tolerations"))


def _is_tolerated(taint: Mapping[str, Any], tolerations: Sequence[Any]) -> bool:
    return any(_tolerates(each, taint) for each in tolerations)


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if text(toleration, "effect") not in ("", text(taint, "effect")):
        return False
    key, exists = text(toleration, "key"), text(toleration, "operator") == "Exists"
    if not key:
        return exists
    return key == text(taint, "key") and (exists or text(toleration, "value") == text(taint, "value"))


def label_objections(pod: Live, node: Live) -> Iterator[str]:
    labels = mapping(node, "metadata", "labels")
    for key, value in mapping(pod, "spec", "nodeSelector").items():
        if labels.get(key) != value:
            yield f"has not the label {key}={value}"
    path = ("spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    required = mapping(pod, *path)
    if required and not _fits_any_term(required, node):
        yield "does not fit its node affinity"


def _fits_any_term(node_selector: Mapping[str, Any], node: Live) -> bool:
    return any(_fits_term(term, node) for term in sequence(node_selector, "nodeSelectorTerms"))


def _fits_term(term: Mapping[str, Any], node: Live) -> bool:
    """Whether all that a term says holds; a term that says nothing fits no node."""
    by_label, by_field = sequence(term, "matchExpressions"), sequence(term, "matchFields")
    labels, fields = mapping(node, "metadata", "labels"), {"metadata.name": name_of(node)}
    said = [(each, labels) for each in by_label] + [(each, fields) for each in by_field]
    return bool(said) and all(_holds(each, values) for each, values in said)


def _holds(expression: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    compare = _OPERATORS.get(text(expression, "operator"))
    return compare is not None and compare(values.get(text(expression, "key")), list(sequence(expression, "values")))


def _compared(value: Any, wanted: Sequence[Any]) -> int:
    """Above, below or, where they are no numbers, neither."""
    try:
        return int(value) - int(wanted[0])
    except (IndexError, TypeError, ValueError):
        return 0


def _avoided(pod: Live, there: Sequence[Live]) -> str:
    """Name a pod there that this one must not share a host with."""
    path = ("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in sequence(pod, *path):
        if text(term, "topologyKey") != HOSTNAME:
            continue
        for other in there:
            if is_meant(term, pod, other):
                return f"runs pod {_pod_name(other)}, beside which it must not run"
    return ""


def is_meant(term: Mapping[str, Any], pod: Live, other: Live) -> bool:
    """Whether a term of affinity or anti-affinity is about another pod, but for namespaces chosen by their labels."""
    spaces = sequence(term, "namespaces") or (text(pod, "metadata", "namespace"),)
    selector = mapping(term, "labelSelector")
    return text(other, "metadata", "namespace") in spaces and bool(selector) and is_selected(selector, other)


def is_selected(selector: Mapping[str, Any], pod: Live) -> bool:
    labels = mapping(pod, "metadata", "labels")
    wanted = [
        *({"key": key, "operator": "In", "values": [value]} for key, value in mapping(selector, "matchLabels").items()),
        *sequence(selector, "matchExpressions"),
    ]
    return all(_holds(each, labels) for each in wanted)


def _without_port(pod: Live, there: Sequence[Live]) -> str:
    """Name a pod there that has a port of the host which this one needs."""
    for other in there:
        for port, address in _host_ports(pod):
            if any(port == its and (address == at or not address or not at) for its, at in _host_ports(other)):
                return f"runs pod {_pod_name(other)}, which has port {port} of the host"
    return ""


def _host_ports(pod: Live) -> list[tuple[str, str]]:
    """Each port of the host that a pod takes, and at which address; at none is at all of them."""
    ports = [port for container in sequence(pod, "spec", "containers") for port in sequence(container, "ports")]
    return [
        (f"{integer(port, 'hostPort')}/{text(port, 'protocol') or 'TCP'}", text(port, "hostIP"))
        for port in ports
        if integer(port, "hostPort")
    ]


def _pod_name(pod: Live) -> str:
    return f"{text(pod, 'metadata', 'namespace')}/{name_of(pod)}"


def is_alive(pod: Live) -> bool:
    return not text(pod, "metadata", "deletionTimestamp") and not has_ended(pod)


def has_ended(pod: Live) -> bool:
    return text(pod, "status", "phase") in ("Succeeded", "Failed")
