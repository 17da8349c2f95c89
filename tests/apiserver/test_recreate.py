# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that cannot change, on a real API server: which kinds are made anew, which only if allowed, which never."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import uid_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection

from tests.lab.apiserver import ApiServer
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver

Make = Callable[[str], dict[str, Any]]


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def manifest(api_version: str, kind: str, namespace: str, **content: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version, "kind": kind, "metadata": {"name": "it", "namespace": namespace}, **content
    }  # fmt: skip


def wide(api_version: str, kind: str, namespace: str, **content: Any) -> dict[str, Any]:
    """An object without a namespace, named after the test's."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": namespace}, **content}


def pod(image: str = "i:1", policy: str = "Always", app: str = "a") -> dict[str, Any]:
    spec = {"restartPolicy": policy, "containers": [{"name": "c", "image": image}]}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}


def selected(app: str) -> dict[str, Any]:
    return {"selector": {"matchLabels": {"app": app}}, "template": pod(app=app)}


def stateful(namespace: str, **spec: Any) -> dict[str, Any]:
    return manifest("apps/v1", "StatefulSet", namespace, spec={**selected("a"), "serviceName": "a", **spec})


def role_binding(namespace: str, role: str) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return manifest("rbac.authorization.k8s.io/v1", "RoleBinding", namespace, roleRef=reference, subjects=[])


def service(namespace: str, address: str) -> dict[str, Any]:
    return manifest("v1", "Service", namespace, spec={"clusterIP": address, "ports": [{"port": 80}]})


def definition(namespace: str, scope: str) -> dict[str, Any]:
    group = f"{namespace}.example.org"
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]
    spec = {"group": group, "scope": scope, "names": {"kind": "Thing", "plural": "things"}, "versions": versions}
    content = wide("apiextensions.k8s.io/v1", "CustomResourceDefinition", namespace, spec=spec)
    return {**content, "metadata": {"name": f"things.{group}"}}


def volume(namespace: str, path: str) -> dict[str, Any]:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": path}}
    return wide("v1", "PersistentVolume", namespace, spec={**spec, "storageClassName": f"none-{namespace}"})


def claim(namespace: str, mode: str) -> dict[str, Any]:
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": [mode], "resources": resources, "storageClassName": f"none-{namespace}"}
    return manifest("v1", "PersistentVolumeClaim", namespace, spec=spec)


# Each with two contents that the API server does not let follow each other.
BY_ITSELF: dict[str, tuple[Make, Make]] = {
    "ConfigMap": (
        lambda ns: manifest("v1", "ConfigMap", ns, data={"a": "1"}, immutable=True),
        lambda ns: manifest("v1", "ConfigMap", ns, data={"a": "2"}, immutable=True),
    ),
    "IngressClass": (
        lambda ns: wide("networking.k8s.io/v1", "IngressClass", ns, spec={"controller": "example.org/a"}),
        lambda ns: wide("networking.k8s.io/v1", "IngressClass", ns, spec={"controller": "example.org/b"}),
    ),
    "Job": (
        lambda ns: manifest("batch/v1", "Job", ns, spec={"template": pod("i:1", "Never")}),
        lambda ns: manifest("batch/v1", "Job", ns, spec={"template": pod("i:2", "Never")}),
    ),
    "PriorityClass": (
        lambda ns: wide("scheduling.k8s.io/v1", "PriorityClass", ns, value=1),
        lambda ns: wide("scheduling.k8s.io/v1", "PriorityClass", ns, value=2),
    ),
    "RoleBinding": (lambda ns: role_binding(ns, "view"), lambda ns: role_binding(ns, "edit")),
    "Secret": (
        lambda ns: manifest("v1", "Secret", ns, type="Opaque"),
        lambda ns: manifest("v1", "Secret", ns, type="example.org/other"),
    ),
    "StorageClass": (
        lambda ns: wide("storage.k8s.io/v1", "StorageClass", ns, provisioner="example.org/a"),
        lambda ns: wide("storage.k8s.io/v1", "StorageClass", ns, provisioner="example.org/b"),
    ),
}
IF_ALLOWED: dict[str, tuple[Make, Make]] = {
    "DaemonSet": (
        lambda ns: manifest("apps/v1", "DaemonSet", ns, spec=selected("a")),
        lambda ns: manifest("apps/v1", "DaemonSet", ns, spec=selected("b")),
    ),
    "Deployment": (
        lambda ns: manifest("apps/v1", "Deployment", ns, spec=selected("a")),
        lambda ns: manifest("apps/v1", "Deployment", ns, spec=selected("b")),
    ),
    "Pod": (
        lambda ns: manifest("v1", "Pod", ns, spec=pod()["spec"]),
        lambda ns: manifest("v1", "Pod", ns, spec={**pod()["spec"], "hostNetwork": True}),
    ),
    "Service": (lambda ns: service(ns, "10.43.200.1"), lambda ns: service(ns, "10.43.200.2")),
}
NEVER: dict[str, tuple[Make, Make]] = {
    "CustomResourceDefinition": (lambda ns: definition(ns, "Namespaced"), lambda ns: definition(ns, "Cluster")),
    "PersistentVolume": (lambda ns: volume(ns, "/a"), lambda ns: volume(ns, "/b")),
    "PersistentVolumeClaim": (lambda ns: claim(ns, "ReadWriteOnce"), lambda ns: claim(ns, "ReadWriteMany")),
}


@pytest.mark.parametrize("kind", BY_ITSELF)
def test_what_holds_nothing_is_made_anew(operator: Operator, namespace: str, kind: str) -> None:
    before, after = (make(namespace) for make in BY_ITSELF[kind])
    operator.apply("anew", before)
    (step,) = operator.apply("anew", after).plan.steps
    assert (step.verb, "lost: " in step.reason) == (Verb.RECREATE, True)
    assert not operator.apply("anew", after).plan.changed
    operator.remove("anew")


@pytest.mark.parametrize("kind", IF_ALLOWED)
def test_what_is_missed_in_between_is_made_anew_only_if_allowed(operator: Operator, namespace: str, kind: str) -> None:
    before, after = (make(namespace) for make in IF_ALLOWED[kind])
    operator.apply("allowed", before)
    with pytest.raises(ClusterError, match="Set recreate: true"):
        operator.apply("allowed", after)
    (step,) = operator.apply("allowed", after, recreate=True).plan.steps
    assert step.verb is Verb.RECREATE
    assert not operator.apply("allowed", after).plan.changed
    operator.remove("allowed")


@pytest.mark.parametrize("kind", NEVER)
def test_what_holds_other_things_is_never_made_anew(operator: Operator, namespace: str, kind: str) -> None:
    before, after = (make(namespace) for make in NEVER[kind])
    operator.apply("never", before)
    with pytest.raises(ClusterError, match=f"A {kind} is never deleted and made again"):
        operator.apply("never", after, recreate=True, force=True)
    assert not operator.apply("never", before).plan.changed
    operator.remove("never")


def pods(operator: Operator, namespace: str, count: int) -> set[str]:
    """The uids of the pods of a namespace, once there are so many."""

    resource = known(operator.cluster.catalogue().find("v1", "Pod"))
    deadline = time.monotonic() + 30
    while True:
        found = {uid_of(live) for live in operator.cluster.list(Collection(resource, namespace))}
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def test_a_stateful_set_is_made_anew_around_its_pods(operator: Operator, namespace: str) -> None:
    operator.apply("kept", stateful(namespace, replicas=2))
    before = pods(operator, namespace, 2)
    (step,) = operator.apply("kept", stateful(namespace, replicas=2, podManagementPolicy="Parallel")).plan.steps
    assert (step.verb, "its pods run on" in step.reason) == (Verb.RECREATE, True)
    assert len(before) == 2
    assert pods(operator, namespace, 2) == before
    operator.remove("kept")


def with_volume(namespace: str, storage_class: str, size: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"], "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }  # fmt: skip
    return stateful(namespace, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": spec}])


@pytest.fixture
def storage_class(api_server: ApiServer, namespace: str) -> Any:
    """Makes a class with one volume in it, and a claim that is bound to that volume as if a StatefulSet had made it."""

    def make(*, grows: bool) -> str:
        made = wide(
            "storage.k8s.io/v1", "StorageClass", namespace, provisioner="example.org/x", allowVolumeExpansion=grows
        )
        one = volume(namespace, "/a")
        one["spec"]["storageClassName"] = namespace
        api_server.kubectl("create", "--filename=-", stdin=json.dumps(made))
        api_server.kubectl("create", "--filename=-", stdin=json.dumps(one))
        return namespace

    yield make
    for kind in ("storageclass", "persistentvolume"):
        api_server.kubectl("delete", kind, namespace, "--ignore-not-found", "--wait=false")


def wait_until_bound(api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl(
        "wait", f"--namespace={namespace}", "--for=jsonpath={.status.phase}=Bound", "pvc/data-it-0", "--timeout=30s"
    )


def wait_until_there(operator: Operator, namespace: str) -> None:
    deadline = time.monotonic() + 30
    while operator.get("v1", "PersistentVolumeClaim", namespace, "data-it-0") is None and time.monotonic() < deadline:
        time.sleep(0.2)


def size_of(operator: Operator, namespace: str) -> str:
    live = known(operator.get("v1", "PersistentVolumeClaim", namespace, "data-it-0"))
    return str(live["spec"]["resources"]["requests"]["storage"])


def test_the_volumes_of_a_stateful_set_grow_under_its_pods(
    operator: Operator, api_server: ApiServer, namespace: str, storage_class: Any
) -> None:
    name = storage_class(grows=True)
    operator.apply("grown", with_volume(namespace, name, "1Gi"))
    wait_until_there(operator, namespace)
    wait_until_bound(api_server, namespace)
    before = pods(operator, namespace, 1)
    (step,) = operator.apply("grown", with_volume(namespace, name, "2Gi")).plan.steps
    assert "grows data-it-0 from 1Gi to 2Gi" in step.reason
    assert size_of(operator, namespace) == "2Gi"
    assert pods(operator, namespace, 1) == before
    assert not operator.apply("grown", with_volume(namespace, name, "2Gi")).plan.changed
    operator.remove("grown")


def test_volumes_that_cannot_grow_are_told_before_anything_is_changed(
    operator: Operator, api_server: ApiServer, namespace: str, storage_class: Any
) -> None:
    name = storage_class(grows=False)
    operator.apply("fixed", with_volume(namespace, name, "1Gi"))
    wait_until_there(operator, namespace)
    wait_until_bound(api_server, namespace)
    live = known(operator.get("apps/v1", "StatefulSet", namespace, "it"))
    with pytest.raises(ClusterError, match=r"its claim data-it-0 from 1Gi to 2Gi cannot grow: .*allowVolumeExpansion"):
        operator.apply("fixed", with_volume(namespace, name, "2Gi"))
    assert uid_of(known(operator.get("apps/v1", "StatefulSet", namespace, "it"))) == uid_of(live)
    operator.remove("fixed")
