# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of which kstatus has no cases: built-in ones beside the workloads, and well-known custom resources."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.health import health

READY = {"type": "Ready", "status": "True", "message": "up to date"}
NOT_READY = {"type": "Ready", "status": "False", "reason": "Pending", "message": "waits for its order"}


def verdict(api_version: str, kind: str, status: dict[str, Any]) -> tuple[str, str, str]:
    found = health({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "status": status})
    return found.status, found.reason, found.message


def conditions(*listed: dict[str, str]) -> dict[str, Any]:
    return {"conditions": list(listed)}


@pytest.mark.parametrize(
    ("api_version", "kind", "status", "expected"),
    [
        ("cert-manager.io/v1", "Certificate", conditions(READY), ("Current", "Ready", "up to date")),
        ("cert-manager.io/v1", "Issuer", conditions(NOT_READY), ("InProgress", "Pending", "waits for its order")),
        ("argoproj.io/v1alpha1", "Workflow", {"phase": "Succeeded"}, ("Current", "Succeeded", "in phase Succeeded")),
        (
            "argoproj.io/v1alpha1",
            "Workflow",
            {"phase": "Running", "message": "2/3"},
            ("InProgress", "Running", "2/3"),
        ),
        ("argoproj.io/v1alpha1", "Workflow", {}, ("InProgress", "NoStatus", "its controller has reported nothing yet")),
        (
            "tekton.dev/v1",
            "PipelineRun",
            conditions({"type": "Succeeded", "status": "Unknown", "reason": "Running"}),
            ("InProgress", "Running", "Running"),
        ),
        (
            "postgresql.cnpg.io/v1",
            "Cluster",
            {"phase": "Upgrading cluster", "phaseReason": "pod 2 of 3"},
            ("InProgress", "Phase", "Upgrading cluster: pod 2 of 3"),
        ),
        (
            "postgresql.cnpg.io/v1",
            "Cluster",
            {"phase": "Not enough disk space"},
            ("Failed", "Phase", "Not enough disk space"),
        ),
        ("postgresql.cnpg.io/v1", "Cluster", {}, ("InProgress", "NoStatus", "its controller has reported nothing yet")),
        (
            "longhorn.io/v1beta2",
            "Volume",
            {"state": "attached", "robustness": "faulted"},
            ("Failed", "Faulted", "all replicas of the volume are lost or failed"),
        ),
        (
            "longhorn.io/v1beta2",
            "Volume",
            {"state": "attached", "robustness": "degraded"},
            ("InProgress", "Degraded", "some replicas of the volume are being rebuilt"),
        ),
        ("longhorn.io/v1beta2", "Volume", {"state": "detached", "robustness": "unknown"}, ("Current", "", "detached")),
        ("longhorn.io/v1beta2", "Volume", {"state": "attaching"}, ("InProgress", "Pending", "attaching")),
        (
            "helm.cattle.io/v1",
            "HelmChart",
            conditions({"type": "Failed", "status": "True", "reason": "BackoffLimit", "message": "no such chart"}),
            ("Failed", "BackoffLimit", "no such chart"),
        ),
        (
            "helm.cattle.io/v1",
            "HelmChart",
            {"jobName": "helm-install-x"},
            ("Current", "", "handed to Job helm-install-x"),
        ),
        ("helm.cattle.io/v1", "HelmChart", {}, ("InProgress", "NoStatus", "its controller has reported nothing yet")),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}, {"hostname": "b"}]}},
            ("Current", "", "answers at 10.0.0.1, b"),
        ),
        ("networking.k8s.io/v1", "Ingress", {}, ("Current", "NoAddress", "exists")),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            conditions({"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}),
            ("Current", "", "scaling"),
        ),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            conditions({"type": "Available", "status": "True"}),
            ("Current", "", "available"),
        ),
        ("v1", "Namespace", {"phase": "Active"}, ("Current", "", "active")),
        ("v1", "PersistentVolume", {"phase": "Available"}, ("Current", "", "Available")),
        ("v1", "PersistentVolume", {"phase": "Pending"}, ("InProgress", "VolumePending", "being made available")),
        (
            "v1",
            "PersistentVolume",
            {"phase": "Failed", "message": "no plugin"},
            ("Failed", "VolumeFailed", "no plugin"),
        ),
        ("v1", "Node", conditions(READY), ("Current", "", "up to date")),
        ("v1", "ConfigMap", {}, ("Current", "", "exists")),
    ],
)
def test_what_is_said(api_version: str, kind: str, status: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert verdict(api_version, kind, status) == expected
