# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated node and a namespace of a test's own on a real API server, and what a test puts there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Policy
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drainer import Order
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.keeper import NodeKeeper, Outcome, Task
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spec import keeper_for
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HearthError

from tests.lab.apiserver import ApiServer

OTHERS = ("simulated-1", "simulated-2", "simulated-3")


class Scene:
    """A node and a namespace of the test's own; the other nodes are everybody's, whatever runs there."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self.server, self.namespace, self.node = server, namespace, f"{namespace}-node"
        self.lines: list[str] = []

    def keeper(self, *, check: bool = False) -> NodeKeeper:
        access = {"kubeconfig": str(self.server.kubeconfig), "context": None, "server": None, "request_timeout": 60}
        return keeper_for(access, check=check, report=self.lines.append)

    def run(self, state: str, *, check: bool = False, **order: Any) -> Outcome:
        given = Order(**{"policy": Policy(), "seconds": 30.0, "wait_seconds": 30.0, **order})
        return self.keeper(check=check).run(Task(self.node, state, order=given))

    def refusal(self, **order: Any) -> HearthError:
        with pytest.raises(HearthError) as refused:
            self.run("drained", **order)
        return refused.value

    def create(self, *manifests: dict[str, Any]) -> None:
        for each in manifests:
            self.server.kubectl("create", f"--namespace={self.namespace}", "--filename=-", stdin=json.dumps(each))

    def get(self, what: str, *more: str) -> Any:
        return json.loads(self.server.kubectl("get", what, f"--namespace={self.namespace}", "--output=json", *more))

    def wait(self, target: str, condition: str) -> None:
        arguments = ("wait", f"--namespace={self.namespace}", target, f"--for={condition}", "--timeout=30s")
        self.server.kubectl(*arguments)

    def pods_on(self, node: str) -> list[str]:
        pods = self.get("pods")["items"]
        return sorted(
            each["metadata"]["name"]
            for each in pods
            if each["spec"].get("nodeName") == node and "deletionTimestamp" not in each["metadata"]
        )

    @property
    def is_cordoned(self) -> bool:
        return bool(self.get(f"node/{self.node}")["spec"].get("unschedulable"))

    def only_this_node(self) -> None:
        """Keep the next pods away from the other nodes, so that they all come here."""
        self.server.kubectl("cordon", *OTHERS)

    def all_nodes(self) -> None:
        self.server.kubectl("uncordon", *OTHERS)

    def deployment_here(self, replicas: int = 2) -> None:
        self.only_this_node()
        self.create(workload("Deployment", replicas=replicas))
        self.wait("deployment/it", f"jsonpath={{.status.readyReplicas}}={replicas}")
        self.all_nodes()

    def budget(self, **rule: Any) -> None:
        spec = {"selector": {"matchLabels": {"app": "it"}}, **rule}
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "it"}, "spec": spec}
        self.create(budget)
        self.wait("pdb/it", "jsonpath={.status.observedGeneration}=1")


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "it"}}, "spec": pod_spec()}
    body = {"selector": {"matchLabels": {"app": "it"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "it"}, "spec": body}


def pod_spec(**spec: Any) -> dict[str, Any]:
    """A pod that may run on the test's node as well as on the others."""
    tolerations = [{"key": "only", "operator": "Exists"}]
    return {"containers": [{"name": "it", "image": "example.org/it:1"}], "tolerations": tolerations, **spec}


def bare_pod(node: str, *, name: str = "bare", finalizers: tuple[str, ...] = (), **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "finalizers": list(finalizers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(nodeName=node, **spec)}


def uses(claim: str) -> dict[str, Any]:
    return {"name": "data", "persistentVolumeClaim": {"claimName": claim}}


def pinned_volume(name: str, node: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A volume as local-path makes it, and the claim that is bound to it."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    modes, size, storage_class = ["ReadWriteOnce"], {"storage": "1Gi"}, "by-hand"
    spec = {
        "capacity": size,
        "accessModes": modes,
        "storageClassName": storage_class,
        "hostPath": {"path": "/var/lib/rancher/k3s/storage/data"},
        "nodeAffinity": affinity,
    }
    wanted = {
        "accessModes": modes,
        "resources": {"requests": size},
        "volumeName": name,
        "storageClassName": storage_class,
    }
    return (
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": wanted},
    )
