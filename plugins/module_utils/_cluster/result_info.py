# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about a cluster: the same keys, whatever it is like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .._kube.change.live import Live
from .._kube.fields import conditions, mapping, sequence, text
from .drain import controller_of
from .node import etcd_member_of, is_cordoned, is_ready, name_of, roles_of, taints_of
from .survey import Picture

_HASH = "pod-template-hash"  # a Deployment gives it to its ReplicaSets, and they give it to their pods
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def result_of_survey(picture: Picture) -> dict[str, Any]:
    """The answer of the module cluster_info."""
    nodes = sorted(picture.nodes, key=name_of)
    return {
        "changed": False,
        "version": picture.version,
        "ready": picture.readiness.status == 200,
        "failing_checks": picture.failing_checks,
        "nodes": [_node(each, picture.pods) for each in nodes],
        "etcd": _etcd(nodes),
        "pods": _pods(picture),
        "workloads": _workloads(picture),
        "deprecated_apis": asdict(picture.apis),
    }


def _node(live: Live, pods: Sequence[Live]) -> dict[str, Any]:
    info = mapping(live, "status", "nodeInfo")
    return {
        "name": name_of(live),
        "ready": is_ready(live),
        "cordoned": is_cordoned(live),
        "roles": roles_of(live),
        "version": text(info, "kubeletVersion"),
        "container_runtime": text(info, "containerRuntimeVersion"),
        "os_image": text(info, "osImage"),
        "kernel": text(info, "kernelVersion"),
        "architecture": text(info, "architecture"),
        "addresses": [
            {"type": text(each, "type"), "address": text(each, "address")}
            for each in sequence(live, "status", "addresses")
        ],
        "conditions": [
            {name: text(each, name) for name in ("type", "status", "reason", "message")}
            | {"since": text(each, "lastTransitionTime")}
            for each in conditions(live).values()
        ],
        "labels": dict(mapping(live, "metadata", "labels")),
        "taints": taints_of(live),
        "pods": sum(text(pod, "spec", "nodeName") == name_of(live) for pod in pods),
        "created": text(live, "metadata", "creationTimestamp"),
    }


def _etcd(nodes: Sequence[Live]) -> dict[str, Any]:
    """The embedded etcd as its nodes tell it; without members the cluster keeps its state elsewhere."""
    members = [(name_of(node), member) for node in nodes if (member := etcd_member_of(node))]
    voters = [name for name, member in members if member.voter]
    quorum = len(voters) // 2 + 1 if voters else 0
    alive = {name_of(node) for node in nodes if is_ready(node)}
    return {
        "members": [{"node": name, **asdict(member)} for name, member in members],
        "voters": voters,
        "quorum": quorum,
        "can_lose": max(len(alive & set(voters)) - quorum, 0),
    }


def _pods(picture: Picture) -> dict[str, Any]:
    phases = Counter(text(pod, "status", "phase") for pod in picture.pods)
    ill = [
        {
            "namespace": text(pod, "metadata", "namespace"),
            "name": name_of(pod),
            "node": text(pod, "spec", "nodeName"),
            "owner": _owner(pod),
            "phase": text(pod, "status", "phase"),
            "status": verdict.status.value,
            "message": verdict.message,
        }
        for pod, verdict in picture.ill_pods()
    ]
    return {
        "total": len(picture.pods),
        "phases": {phase: phases[phase] for phase in _PHASES},
        "unhealthy": sorted(ill, key=lambda each: (each["namespace"], each["name"])),
    }


def _workloads(picture: Picture) -> dict[str, Any]:
    ill = [
        {
            "kind": text(live, "kind"),
            "namespace": text(live, "metadata", "namespace"),
            "name": name_of(live),
            "status": verdict.status.value,
            "message": verdict.message,
        }
        for live, verdict in picture.ill_workloads()
    ]
    return {
        "total": len(picture.workloads),
        "known": picture.workloads_known,
        "unhealthy": sorted(ill, key=lambda each: (each["namespace"], each["kind"], each["name"])),
    }


def _owner(pod: Live) -> str:
    """What made a pod: a Deployment rather than its ReplicaSet, which has another name after every change."""
    owner = controller_of(pod)
    kind, name = text(owner, "kind"), text(owner, "name")
    suffix = f"-{text(mapping(pod, 'metadata', 'labels'), _HASH)}"
    if kind == "ReplicaSet" and suffix != "-" and name.endswith(suffix):
        return f"Deployment {name.removesuffix(suffix)}"
    return f"{kind} {name}" if owner else ""
