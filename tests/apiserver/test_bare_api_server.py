# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bare API server promises to the tests that use it."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from tests.lab.apiserver import ApiServer

pytestmark = pytest.mark.apiserver


def pod_template(image: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "it"}}, "spec": {"containers": [{"name": "it", "image": image}], **spec}}


def workload(kind: str, image: str = "example.org/it:1", **spec: Any) -> dict[str, Any]:
    body = {"selector": {"matchLabels": {"app": "it"}}, "template": pod_template(image), **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "it"}, "spec": body}


def job(image: str) -> dict[str, Any]:
    spec = {"backoffLimit": 0, "template": pod_template(image, restartPolicy="Never")}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "it"}, "spec": spec}


def pod(image: str) -> dict[str, Any]:
    template = pod_template(image)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"}, "spec": template["spec"]}


def create(server: ApiServer, namespace: str, manifest: dict[str, Any]) -> None:
    server.kubectl("create", f"--namespace={namespace}", "--filename=-", stdin=json.dumps(manifest))


def wait(server: ApiServer, namespace: str, target: str, condition: str) -> None:
    server.kubectl("wait", f"--namespace={namespace}", target, f"--for={condition}", "--timeout=30s")


def test_simulated_nodes_are_ready(api_server: ApiServer) -> None:
    nodes = api_server.kubectl("get", "nodes", "--no-headers").splitlines()
    assert [line.split()[:2] for line in nodes] == [[f"simulated-{number}", "Ready"] for number in (1, 2, 3)]


def test_the_server_has_the_version_that_was_asked_for(api_server: ApiServer) -> None:
    version = json.loads(api_server.kubectl("version", "--output=json"))["serverVersion"]
    assert version["gitVersion"] == api_server.version


def test_the_kubeconfig_is_private(api_server: ApiServer) -> None:
    assert stat.S_IMODE(api_server.kubeconfig.stat().st_mode) == 0o600


def test_access_is_ruled_by_rbac(api_server: ApiServer, namespace: str) -> None:
    user = f"--as=system:serviceaccount:{namespace}:default"
    assert api_server.kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    with pytest.raises(Exception, match="forbidden"):
        api_server.kubectl("get", "secrets", user)


@pytest.mark.parametrize(
    ("manifest", "condition"),
    [
        (workload("Deployment", replicas=2), "jsonpath={.status.readyReplicas}=2"),
        (workload("DaemonSet"), "jsonpath={.status.numberReady}=3"),
        (job("example.org/it:1"), "condition=Complete"),
        (job("lab.invalid/failing:1"), "condition=Failed"),
    ],
    ids=["deployment", "daemonset", "job", "failed-job"],
)
def test_workloads_reach_their_end(
    api_server: ApiServer, namespace: str, manifest: dict[str, Any], condition: str
) -> None:
    create(api_server, namespace, manifest)
    wait(api_server, namespace, f"{manifest['kind']}/it", condition)


def test_a_stateful_set_gets_its_volume(api_server: ApiServer, namespace: str) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    create(api_server, namespace, workload("StatefulSet", serviceName="it", volumeClaimTemplates=[claim]))
    wait(api_server, namespace, "pvc/data-it-0", "jsonpath={.status.phase}=Bound")
    wait(api_server, namespace, "statefulset/it", "jsonpath={.status.readyReplicas}=1")


def test_init_containers_and_sidecars_are_done_before_the_pod_is_ready(api_server: ApiServer, namespace: str) -> None:
    manifest = pod("example.org/it:1")
    manifest["spec"]["initContainers"] = [
        {"name": "first", "image": "example.org/init:1"},
        {"name": "beside", "image": "example.org/sidecar:1", "restartPolicy": "Always"},
    ]
    create(api_server, namespace, manifest)
    wait(api_server, namespace, "pod/it", "condition=Ready")
    live = json.loads(api_server.kubectl("get", "pod", "it", f"--namespace={namespace}", "--output=json"))
    states = {status["name"]: list(status["state"]) for status in live["status"]["initContainerStatuses"]}
    assert states == {"first": ["terminated"], "beside": ["running"]}


@pytest.mark.parametrize(
    ("fate", "reason"), [("missing", "ImagePullBackOff"), ("crashing", "CrashLoopBackOff")], ids=["missing", "crashing"]
)
def test_an_image_chooses_how_its_pod_fails(api_server: ApiServer, namespace: str, fate: str, reason: str) -> None:
    create(api_server, namespace, pod(f"lab.invalid/{fate}:1"))
    wait(api_server, namespace, "pod/it", f"jsonpath={{.status.containerStatuses[0].state.waiting.reason}}={reason}")
    events = api_server.kubectl("get", "events", f"--namespace={namespace}", "--field-selector=type=Warning")
    assert "pod/it" in events


def test_an_unready_pod_runs_but_gets_no_traffic(api_server: ApiServer, namespace: str) -> None:
    create(api_server, namespace, workload("Deployment", "lab.invalid/unready:1"))
    wait(api_server, namespace, "deployment/it", "jsonpath={.status.unavailableReplicas}=1")
    running = "--for=jsonpath={.status.phase}=Running"
    api_server.kubectl("wait", "pods", "--selector=app=it", f"--namespace={namespace}", running, "--timeout=30s")


def test_a_load_balancer_gets_an_address_unless_its_class_is_foreign(api_server: ApiServer, namespace: str) -> None:
    for name, extra in (("ours", {}), ("foreign", {"loadBalancerClass": "example.org/other"})):
        spec = {"type": "LoadBalancer", "selector": {"app": "it"}, "ports": [{"port": 80}], **extra}
        create(api_server, namespace, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    wait(api_server, namespace, "service/ours", "jsonpath={.status.loadBalancer.ingress[0].ip}=192.0.2.1")
    foreign = api_server.kubectl("get", "service", "foreign", f"--namespace={namespace}", "--output=json")
    assert json.loads(foreign)["status"]["loadBalancer"] == {}


def test_data_survive_a_restart_of_the_api_server_alone(api_server: ApiServer, namespace: str) -> None:
    create(
        api_server, namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it"}, "data": {"a": "1"}}
    )
    api_server.stop_api()
    with pytest.raises(Exception, match="refused"):
        api_server.kubectl("get", "configmap", "it", f"--namespace={namespace}")
    api_server.start_api()
    assert "it" in api_server.kubectl("get", "configmap", "it", f"--namespace={namespace}")
    create(api_server, namespace, workload("Deployment"))
    wait(api_server, namespace, "deployment/it", "condition=Available")
