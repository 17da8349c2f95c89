# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.health import (
    Health,
    Status,
    Surroundings,
    health,
)
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

# Where this project is less easily content than kstatus, and what kstatus says there.
CORRECTIONS = {
    "kstatus/TestJobStatus/jobInProgress": (Status.IN_PROGRESS, "a started Job has not done its work yet"),
    "kstatus/TestPodStatus/podCompletedFailed": (Status.FAILED, "a failed pod did not do what it is there for"),
    "kstatus/TestServiceStatus/serviceLBok": (Status.IN_PROGRESS, "a cluster IP is no address of a load balancer"),
}


def computed(content: Any) -> list[fixtures.Case]:
    """Leave out op=augment: it writes conditions into an object for other programs, which nothing here does."""
    return [case for case in content["cases"] if case.get("op") != "augment"]


def at(moment: datetime, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: at(moment, item) for key, item in value.items()}
    return moment.isoformat() if value == "@NOW@" else value


@fixtures.each("kstatus_cases.yaml", computed)
def test_agrees_with_kstatus_but_for_the_corrections(case: fixtures.Case) -> None:
    verdict = health(at(NOW, case["object"]), Surroundings(now=NOW))
    if case["id"] in CORRECTIONS:
        assert case["expected_status"] == Status.CURRENT
        assert verdict.status is CORRECTIONS[case["id"]][0]
        return
    assert verdict.status == case["expected_status"]
    for condition in case.get("expected_conditions", []):
        assert verdict.reason == condition["reason"]


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any], group: str = "apps/v1") -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "x"}, "spec": spec, "status": status}


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": name, "status": status, "reason": reason, "message": message}


ROLLED_OUT = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
AVAILABLE = condition("Available", "True")


@pytest.mark.parametrize(
    ("live", "status", "reason", "words"),
    [
        pytest.param(
            {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"deletionTimestamp": "x", "finalizers": ["a/b"]}},
            "Terminating",
            "Deleted",
            "held by a/b",
            id="deleted object names its finalizers",
        ),
        pytest.param(
            workload("X", {}, {"conditions": [condition("Stalled", "True", "NoQuota", "over quota")]}, "a.b/v1"),
            "Failed",
            "NoQuota",
            "over quota",
            id="stalled",
        ),
        pytest.param(
            workload("X", {}, {"conditions": [condition("Reconciling", "True")]}, "a.b/v1"),
            "InProgress",
            "Reconciling",
            "being reconciled",
            id="reconciling without words",
        ),
        pytest.param(
            workload("Deployment", {"replicas": 2}, {**ROLLED_OUT, "replicas": 3, "conditions": [AVAILABLE]}),
            "InProgress",
            "ExtraPods",
            "1 old replicas",
            id="old pods still serve",
        ),
        pytest.param(
            workload(
                "Deployment",
                {"replicas": 2},
                {"conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")]},
            ),
            "Failed",
            "ProgressDeadlineExceeded",
            "timed out",
            id="deadline exceeded",
        ),
        pytest.param(
            workload("Deployment", {"replicas": 2, "paused": True}, {**ROLLED_OUT, "updatedReplicas": 1}),
            "InProgress",
            "Paused",
            "1 of 2 replicas are updated, and the rollout is paused",
            id="paused half way",
        ),
        pytest.param(
            workload("Deployment", {"replicas": 2, "paused": True}, ROLLED_OUT),
            "Current",
            "",
            "2 replicas",
            id="paused",
        ),
        pytest.param(
            workload("Deployment", {"replicas": 0}, {"conditions": [AVAILABLE]}),
            "Current",
            "",
            "0",
            id="scaled to zero",
        ),
        pytest.param(
            workload(
                "StatefulSet",
                {"updateStrategy": {"type": "OnDelete"}},
                {"replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            ),
            "Current",
            "",
            "1 replicas are ready",
            id="OnDelete leaves the update to a person",
        ),
        pytest.param(
            workload("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, {"replicas": 1}),
            "InProgress",
            "LessReady",
            "0 of 1 replicas are ready",
            id="OnDelete and ill",
        ),
        pytest.param(
            workload(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                {"replicas": 3, "readyReplicas": 3, "updatedReplicas": 0},
            ),
            "InProgress",
            "PartitionRollout",
            "0 of 1",
            id="partition not reached",
        ),
        pytest.param(
            workload(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                {
                    "replicas": 3,
                    "readyReplicas": 3,
                    "updatedReplicas": 1,
                    "currentRevision": "a",
                    "updateRevision": "b",
                },
            ),
            "Current",
            "",
            "3 replicas",
            id="partition reached",
        ),
        pytest.param(
            workload(
                "StatefulSet",
                {},
                {
                    "replicas": 1,
                    "readyReplicas": 1,
                    "currentReplicas": 1,
                    "currentRevision": "a",
                    "updateRevision": "b",
                },
            ),
            "InProgress",
            "RevisionMismatch",
            "old revision",
            id="old revision",
        ),
        pytest.param(
            workload("DaemonSet", {}, {"observedGeneration": 1, "desiredNumberScheduled": 0}),
            "Current",
            "NoNodes",
            "no node matches",
            id="daemon on no node is a warning",
        ),
        pytest.param(
            workload("PersistentVolumeClaim", {"volumeName": "pv1"}, {"phase": "Lost"}, "v1"),
            "Failed",
            "VolumeLost",
            "pv1",
            id="lost volume",
        ),
        pytest.param(
            workload("Service", {"type": "LoadBalancer", "externalIPs": ["10.0.0.9"]}, {}, "v1"),
            "Current",
            "",
            "10.0.0.9",
            id="external IP",
        ),
        pytest.param(
            workload("Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"hostname": "h"}]}}, "v1"),
            "Current",
            "",
            "answers at h",
            id="load balancer by name",
        ),
        pytest.param(
            workload("CustomResourceDefinition", {}, {"conditions": None}, "apiextensions.k8s.io/v1"),
            "InProgress",
            "Installing",
            "being installed",
            id="null conditions",
        ),
        pytest.param(
            workload(
                "CustomResourceDefinition",
                {},
                {"conditions": [condition("Established", "False", "Broken", "no")]},
                "apiextensions.k8s.io/v1",
            ),
            "Failed",
            "Broken",
            "no",
            id="cannot be established",
        ),
        pytest.param(
            workload("APIService", {}, {}, "apiregistration.k8s.io/v1"),
            "InProgress",
            "NotAvailable",
            "does not answer",
            id="api service",
        ),
        pytest.param(
            workload(
                "HorizontalPodAutoscaler",
                {},
                {"conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")]},
                "autoscaling/v2",
            ),
            "Current",
            "FailedGetResourceMetric",
            "no metrics",
            id="autoscaler without metrics is a warning",
        ),
        pytest.param(
            workload(
                "HorizontalPodAutoscaler",
                {},
                {"conditions": [condition("ScalingActive", "False", "InvalidSelector", "bad")]},
                "autoscaling/v2",
            ),
            "Failed",
            "InvalidSelector",
            "bad",
            id="autoscaler that never works",
        ),
        pytest.param(
            workload("Namespace", {}, {"phase": "Terminating"}, "v1"), "Terminating", "Deleted", "", id="namespace"
        ),
        pytest.param(workload("Pod", {}, {"phase": "Odd"}, "v1"), "Unknown", "PodPhase", "Odd", id="unknown phase"),
        pytest.param(
            workload("Cluster", {}, {"phase": "Cluster in healthy state"}, "postgresql.cnpg.io/v1"),
            "Current",
            "Healthy",
            "healthy",
            id="PostgreSQL cluster",
        ),
        pytest.param(
            workload(
                "Prometheus",
                {},
                {"conditions": [condition("Available", "False", "SomePodsNotReady", "1/2")]},
                "monitoring.coreos.com/v1",
            ),
            "InProgress",
            "SomePodsNotReady",
            "1/2",
            id="Prometheus",
        ),
        pytest.param(
            workload("Certificate", {}, {}, "cert-manager.io/v1"), "InProgress", "NoStatus", "", id="Certificate"
        ),
        pytest.param(
            workload("Workflow", {}, {"phase": "Error"}, "argoproj.io/v1"), "Failed", "Error", "", id="Workflow"
        ),
        pytest.param(
            workload(
                "TaskRun", {}, {"conditions": [condition("Succeeded", "False", "TaskRunTimeout")]}, "tekton.dev/v1"
            ),
            "Failed",
            "TaskRunTimeout",
            "",
            id="TaskRun",
        ),
        pytest.param(
            {"apiVersion": "a.b/v1", "kind": "Thing", "metadata": {}},
            "Current",
            "NoStatus",
            "",
            id="CR that nobody has seen",
        ),
        pytest.param({"apiVersion": "v1", "kind": "Secret", "metadata": {}}, "Current", "", "exists", id="Secret"),
    ],
)
def test_own_table(live: dict[str, Any], status: str, reason: str, words: str) -> None:
    verdict = health(live)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert words in verdict.message


def claim(**annotations: str) -> dict[str, Any]:
    metadata = {"name": "data", "annotations": annotations}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {"storageClassName": "local-path"},
        "status": {"phase": "Pending"},
    }


def test_a_claim_that_waits_for_its_first_consumer_holds_nothing_up() -> None:
    late = Surroundings(late_binding_classes=frozenset({"local-path"}))
    assert health(claim(), late).is_current
    assert health(claim(), Surroundings()).reason == "NotBound"


def test_a_claim_whose_pod_has_a_node_is_waited_for() -> None:
    late = Surroundings(late_binding_classes=frozenset({"local-path"}))
    assert health(claim(**{"volume.kubernetes.io/selected-node": "pi1"}), late).reason == "NotBound"


def test_a_load_balancer_service_without_a_load_balancer_is_a_warning() -> None:
    service = workload("Service", {"type": "LoadBalancer"}, {}, "v1")
    verdict = health(service, Surroundings(load_balancer=False))
    assert verdict.is_current
    assert verdict.warning


@pytest.mark.parametrize(("age", "status"), [(14, Status.IN_PROGRESS), (15, Status.FAILED)])
def test_scheduling_has_a_moment_of_patience(age: int, status: Status) -> None:
    pod = workload(
        "Pod", {}, {"phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable")]}, "v1"
    )
    pod["metadata"]["creationTimestamp"] = "2026-11-22T12:00:00Z"
    assert health(pod, Surroundings(now=NOW + timedelta(seconds=age))).status is status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod", "Service", "Certificate"]
)
GROUPS = st.sampled_from(["v1", "apps/v1", "batch/v1", "cert-manager.io/v1"])
FIELDS = st.sampled_from(
    [
        "phase",
        "conditions",
        "replicas",
        "readyReplicas",
        "observedGeneration",
        "containerStatuses",
        "loadBalancer",
        "type",
    ]
)


@given(KINDS, GROUPS, *[st.dictionaries(FIELDS, JSON) | JSON for _argument in range(3)])
def test_any_object_gets_a_verdict(kind: str, group: str, metadata: Any, spec: Any, status: Any) -> None:
    verdict = health({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec, "status": status})
    assert isinstance(verdict, Health)
    assert verdict.message
