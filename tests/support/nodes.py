# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes, pods and what rules them, as an API server returns them."""

from __future__ import annotations

from typing import Any


def node(name: str, *, ready: bool = True, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    own = {"kubernetes.io/hostname": name, **(labels or {})}
    return _object("v1", "Node", name, "", labels=own) | {"spec": spec, "status": {"conditions": conditions}}


def pod(
    name: str,
    on: str = "pi2",
    *,
    owner: str | None = "ReplicaSet",
    phase: str = "Running",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    going: bool = False,
    **spec: Any,
) -> dict[str, Any]:
    """A pod of a ReplicaSet by default; its owner is named like itself up to the last dash."""
    live = _object("v1", "Pod", name, "default", labels=labels)
    live["metadata"] |= {"uid": f"uid-of-{name}", **({"annotations": annotations} if annotations else {})}
    if owner:
        api_version = "batch/v1" if owner == "Job" else "apps/v1"
        live["metadata"]["ownerReferences"] = [controller(api_version, owner, name.rpartition("-")[0] or name)]
    if going:
        live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True" if phase == "Running" else "False"}
    return live | {"spec": {"nodeName": on, **spec}, "status": {"phase": phase, "conditions": [ready]}}


def controller(api_version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-of-{kind}-{name}", "controller": True}


def budget(name: str, expected: int, desired: int, *, app: str = "web", **spec: Any) -> dict[str, Any]:
    """A budget over the pods of an app, with what its controller has counted."""
    selector = {"matchLabels": {"app": app}}
    status = {"observedGeneration": 1, "expectedPods": expected, "desiredHealthy": desired, "currentHealthy": expected}
    live = _object("policy/v1", "PodDisruptionBudget", name, "default")
    live["metadata"]["generation"] = 1
    return live | {"spec": {"selector": selector, "minAvailable": desired, **spec}, "status": status}


def claim(name: str, volume: str) -> dict[str, Any]:
    return _object("v1", "PersistentVolumeClaim", name, "default") | {"spec": {"volumeName": volume}}


def local_volume(name: str, on: str) -> dict[str, Any]:
    """As the provisioner local-path makes it."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [on]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    spec = {"hostPath": {"path": f"/var/lib/rancher/k3s/storage/{name}"}, "nodeAffinity": affinity}
    return _object("v1", "PersistentVolume", name, "") | {"spec": spec}


def uses(claim_name: str) -> list[dict[str, Any]]:
    """The volumes of a pod that uses a claim."""
    return [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}]


def deployment(name: str, *, replicas: int = 1, ready: int = 1) -> dict[str, Any]:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}}
    return _object("apps/v1", "Deployment", name, "default") | {"spec": spec, "status": _counts(replicas, ready)}


def replica_set(name: str, of: str) -> dict[str, Any]:
    live = _object("apps/v1", "ReplicaSet", name, "default")
    live["metadata"]["ownerReferences"] = [controller("apps/v1", "Deployment", of)]
    return live


def _counts(replicas: int, ready: int) -> dict[str, Any]:
    conditions = [
        {"type": "Available", "status": "True" if ready else "False"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    counts = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready, "availableReplicas": ready}
    return {**counts, "conditions": conditions}


def _object(
    api_version: str, kind: str, name: str, namespace: str, *, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
