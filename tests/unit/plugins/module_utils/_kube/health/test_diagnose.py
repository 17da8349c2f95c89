# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told about an object that does not come up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.diagnose import Diagnosis, diagnose

from tests.support.fake_cluster import FakeCluster

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "n", "uid": "d"},
    "spec": {"selector": {"matchLabels": {"app": "web"}}},
}
CRASHED = {"terminated": {"exitCode": 1, "reason": "Error"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}


class Scene:
    """A cluster with what a test puts into it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def put(self, kind: str, name: str, content: dict[str, Any], namespace: str = "n") -> None:
        group = "" if kind != "Deployment" else "apps"
        metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", **content.pop("metadata", {})}
        live = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
        self.cluster.objects[group, kind, namespace, name] = live

    def pod(self, state: dict[str, Any], node: str = "pi3", **status: Any) -> None:
        container = {"name": "main", "image": "r/web:1", "restartCount": 0, "state": state, **status}
        spec = {"nodeName": node, "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}
        self.put(
            "Pod",
            "web-1",
            {"metadata": {"labels": {"app": "web"}}, "spec": spec, "status": {"containerStatuses": [container]}},
        )

    def node(self, kernel: str) -> None:
        facts = {"architecture": "arm64", "kernelVersion": kernel}
        self.put("Node", "pi3", {"status": {"nodeInfo": facts}}, namespace="")

    def event(self, kind: str, name: str, reason: str, message: str, age: int = 5, uid: str = "") -> None:
        stamp = (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {"kind": kind, "name": name, "uid": uid or f"uid-{name}"}
        content = {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": stamp}
        self.put("Event", f"{name}.{reason}.{age}", {**content, "involvedObject": involved})

    def diagnosis(self) -> Diagnosis:
        found = diagnose(self.cluster, WEB, NOW)
        assert found is not None
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_everything_that_a_person_needs_is_in_the_text(scene: Scene) -> None:
    scene.node("6.12.34+rpt-rpi-2712")
    scene.pod({"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3, lastState=CRASHED)
    scene.cluster.container_logs["n/web-1/main"] = "<jemalloc>: Unsupported system page size\n"
    scene.event("Pod", "web-1", "BackOff", "Back-off restarting failed container")
    assert scene.diagnosis().full_text.splitlines() == [
        "container main of pod n/web-1 crashes: exit code 1, 3 restarts so far; the program cannot run on a kernel with"
        " 16 KiB pages, the default on a Raspberry Pi 5; boot the kernel with 4 KiB pages (kernel=kernel8.img in"
        " config.txt) or take an image without jemalloc",
        "Image r/web:1 on node pi3 (arm64, kernel 6.12.34+rpt-rpi-2712, 16 KiB pages)",
        "Last lines of its log:",
        "<jemalloc>: Unsupported system page size",
        "Last warnings:",
        "BackOff: Back-off restarting failed container",
    ]


@pytest.mark.parametrize(
    ("log", "doomed"),
    [
        ("<jemalloc>: Unsupported system page size", True),
        ("exec /usr/bin/web: exec format error", True),
        ("Illegal instruction", True),
        ("cannot reach the database", False),
    ],
)
def test_a_log_that_gives_a_final_cause_away_dooms_at_the_first_crash(scene: Scene, log: str, doomed: bool) -> None:
    scene.pod(CRASHED)
    scene.cluster.container_logs["n/web-1/main"] = log
    assert scene.diagnosis().doomed is doomed


def test_a_volume_that_cannot_be_mounted_is_told(scene: Scene) -> None:
    scene.pod(CREATING)
    message = 'MountVolume.MountDevice failed: exec: "iscsiadm": executable file not found in $PATH'
    scene.event("Pod", "web-1", "FailedMount", message)
    found = scene.diagnosis()
    assert found.doomed
    assert "container main of pod n/web-1 is being made; the node lacks the iSCSI client" in found.full_text
    assert f"FailedMount: {message}" in found.full_text


def test_what_was_mended_a_while_ago_dooms_nothing(scene: Scene) -> None:
    scene.pod(CREATING)
    scene.event("Pod", "web-1", "FailedMount", '"iscsiadm": executable file not found in $PATH', age=600)
    found = scene.diagnosis()
    assert not found.doomed
    assert "iscsiadm" in found.full_text


def test_a_probe_that_fails_is_told(scene: Scene) -> None:
    scene.pod({"running": {}}, ready=False)
    scene.event("Pod", "web-1", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
    found = scene.diagnosis()
    assert (found.doomed, found.reason) == (False, "NotReady")
    assert found.sentence == "container main of pod n/web-1 runs and is not ready"
    assert "statuscode: 503" in found.full_text


def test_the_claim_that_a_pod_waits_for_is_told(scene: Scene) -> None:
    scene.pod(CREATING)
    scene.event("PersistentVolumeClaim", "data", "ProvisioningFailed", 'storageclass.storage.k8s.io "ssd" not found')
    found = scene.diagnosis()
    assert found.doomed
    assert "there is no such StorageClass" in found.full_text


def test_events_of_an_earlier_pod_of_that_name_are_not_told(scene: Scene) -> None:
    scene.pod(CREATING)
    scene.event("Pod", "web-1", "FailedMount", "of the pod before", uid="another")
    assert scene.diagnosis().events == ()


def test_pods_that_cannot_even_be_made_are_told(scene: Scene) -> None:
    message = 'Error creating: pods "web-1" is forbidden: violates PodSecurity "restricted:latest"'
    scene.event("ReplicaSet", "web-7d9f", "FailedCreate", message)
    found = scene.diagnosis()
    assert found.doomed
    assert found.sentence == f"Deployment n/web: its pods cannot be made: FailedCreate: {message}"
    assert "pod-security.kubernetes.io/enforce=privileged" in found.full_text


def test_a_crash_is_told_before_what_only_takes_its_time(scene: Scene) -> None:
    scene.pod(CREATING)
    crashed = {"name": "side", "image": "r/side:1", "restartCount": 1, "state": CRASHED}
    scene.cluster.objects["", "Pod", "n", "web-1"]["status"]["containerStatuses"].append(crashed)
    assert scene.diagnosis().sentence.startswith("container side of pod n/web-1 crashes")


def test_of_an_object_without_trouble_nothing_is_told(scene: Scene) -> None:
    scene.pod({"running": {}}, ready=True)
    assert diagnose(scene.cluster, WEB, NOW) is None


def test_a_pod_that_has_failed_is_no_trouble_of_those_that_took_its_place(scene: Scene) -> None:
    scene.pod({"terminated": {"exitCode": 1}}, restartCount=3)
    live = scene.cluster.objects["", "Pod", "n", "web-1"]
    live["status"] |= {"phase": "Failed", "reason": "Evicted"}
    assert diagnose(scene.cluster, WEB, NOW) is None
    assert diagnose(scene.cluster, WEB | {"kind": "Job"}, NOW) is not None, "a Job may have given up with it"
