# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose object and whose field it is, on a real API server: adoption from other tools, conflicts, and other owners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known

from tests.lab.apiserver import ApiServer
from tests.support.contract import config_map
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def deployment(namespace: str, image: str = "i:1", **spec: Any) -> dict[str, Any]:
    pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod, **spec},
    }


def noted(content: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**content, "metadata": {**content["metadata"], **metadata}}


HELM = {
    "labels": {"app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"},
}
K3S = {
    "labels": {"objectset.rio.cattle.io/hash": "0123abcd"},
    "annotations": {
        "objectset.rio.cattle.io/applied": "H4sIAAAAAAAA",
        "objectset.rio.cattle.io/id": "",
        "objectset.rio.cattle.io/owner-gvk": "k3s.cattle.io/v1, Kind=Addon",
        "objectset.rio.cattle.io/owner-name": "web",
        "objectset.rio.cattle.io/owner-namespace": "kube-system",
    },
}
LAST_APPLIED = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}


@pytest.mark.parametrize(
    ("how", "manager", "metadata"),
    [
        (["apply"], "kubectl-client-side-apply", {}),
        (["apply", "--server-side"], "kubectl", {}),
        (["create"], "helm", HELM),  # Helm 3 creates and patches
        (["apply", "--server-side"], "helm", HELM),  # Helm 4 applies
        (["create"], "OpenAPI-Generator", LAST_APPLIED),  # kubernetes.core with apply: true
        (["create"], "deploy@pi1", K3S),  # k3s, from its folder of manifests
    ],
    ids=["kubectl", "kubectl-server-side", "helm-3", "helm-4", "kubernetes.core", "k3s"],
)
def test_an_object_of_another_tool_is_adopted_without_leftovers(
    operator: Operator, api_server: ApiServer, namespace: str, how: list[str], manager: str, metadata: dict[str, Any]
) -> None:
    old = noted(config_map(namespace, "a", kept="1", left="over"), **metadata)
    api_server.kubectl(*how, f"--field-manager={manager}", "--filename=-", stdin=json.dumps(old))
    wanted = config_map(namespace, "a", kept="2")
    (foretold,) = operator.apply("adopted", wanted).plan.steps
    assert (foretold.verb, manager in foretold.reason) == (Verb.ADOPT, True)
    live = known(operator.get("v1", "ConfigMap", namespace, "a"))
    assert live["data"] == {"kept": "2"}
    assert set(live["metadata"]["labels"]) == {"hearth.cluster/package", "applyset.kubernetes.io/part-of"}
    assert not live["metadata"].get("annotations")
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["hearth"]
    assert not operator.apply("adopted", wanted).plan.changed
    operator.remove("adopted")


def test_a_controllers_field_stops_everything_until_it_is_claimed(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    one, other = deployment(namespace, paused=False, minReadySeconds=1), config_map(namespace, "b", k="1")
    operator.apply("claimed", one, other)
    patch = json.dumps({"spec": {"paused": True, "minReadySeconds": 9}})
    api_server.kubectl(
        "patch", "deployment", "a", f"--namespace={namespace}", "--field-manager=operator", f"--patch={patch}"
    )
    changed = (deployment(namespace, "i:2", paused=False, minReadySeconds=1), config_map(namespace, "b", k="2"))
    with pytest.raises(
        ClusterError, match=r"nothing was changed.*\n- Deployment .*force: \[{manager: operator"
    ) as error:
        operator.apply("claimed", *changed)
    conflicts = {each["field"] for each in error.value.details["conflicts"]}
    assert conflicts == {".spec.minReadySeconds", ".spec.paused"}
    assert known(operator.get("v1", "ConfigMap", namespace, "b"))["data"] == {"k": "1"}

    with pytest.raises(ClusterError, match=r"\.spec\.minReadySeconds is owned by operator"):
        operator.apply("claimed", *changed, force=[{"manager": "operator", "fields": [".spec.paused"]}])
    only_paused = deployment(namespace, "i:2", paused=False)
    operator.apply("claimed", only_paused, force=[{"manager": "operator", "fields": [".spec.paused"]}])
    spec = known(operator.get("apps/v1", "Deployment", namespace, "a"))["spec"]
    assert (spec.get("paused", False), spec["minReadySeconds"]) == (False, 9)
    assert not operator.apply("claimed", only_paused).plan.changed
    operator.remove("claimed")


def test_an_autoscaler_keeps_its_replicas(operator: Operator, api_server: ApiServer, namespace: str) -> None:
    operator.apply("scaled", deployment(namespace, replicas=1))
    scale = {"spec": {"replicas": 4}}
    api_server.kubectl(
        "patch",
        "deployment",
        "a",
        f"--namespace={namespace}",
        "--subresource=scale",
        "--type=merge",
        "--field-manager=kube-controller-manager",
        f"--patch={json.dumps(scale)}",
    )
    assert not operator.apply("scaled", deployment(namespace, replicas=1)).plan.changed
    (step,) = operator.apply("scaled", deployment(namespace, "i:2", replicas=1)).plan.steps
    assert "leaves .spec.replicas to kube-controller-manager/scale" in step.reason
    live = known(operator.get("apps/v1", "Deployment", namespace, "a"))
    assert (live["spec"]["replicas"], live["spec"]["template"]["spec"]["containers"][0]["image"]) == (4, "i:2")
    operator.remove("scaled")


def test_a_certificate_that_another_fills_in_stays(operator: Operator, api_server: ApiServer, namespace: str) -> None:
    name = f"{namespace}.example.org"

    def hook(bundle: str, weight: int) -> dict[str, Any]:
        config = {"url": "https://127.0.0.1:1/", "caBundle": bundle}
        one = {
            "name": name, "clientConfig": config, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Ignore", "timeoutSeconds": weight,
        }  # fmt: skip
        kind = "ValidatingWebhookConfiguration"
        return {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "webhooks": [one]
        }  # fmt: skip

    operator.apply("hooked", hook("Cg==", 5))
    path = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "Q0E="}]
    api_server.kubectl(
        "patch", "validatingwebhookconfiguration", name, "--type=json", "--field-manager=cainjector",
        f"--patch={json.dumps(path)}",
    )  # fmt: skip
    assert not operator.apply("hooked", hook("Cg==", 5)).plan.changed
    operator.apply("hooked", hook("Cg==", 6))
    live = known(operator.get("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", name))
    assert (live["webhooks"][0]["timeoutSeconds"], live["webhooks"][0]["clientConfig"]["caBundle"]) == (6, "Q0E=")
    operator.remove("hooked")


def test_what_belongs_to_others_is_not_taken(operator: Operator, api_server: ApiServer, namespace: str) -> None:
    mine = config_map(namespace, "mine", k="1")
    packages = config_map(namespace, "packages", k="1")
    operator.apply("first", packages)
    sets = config_map(namespace, "sets", {"applyset.kubernetes.io/part-of": "applyset-other-v1"}, k="1")
    uid = known(operator.get("v1", "Namespace", "", namespace))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": uid, "controller": True}
    controlled = noted(config_map(namespace, "controlled", k="1"), ownerReferences=[owner])
    for other in (sets, controlled):
        api_server.kubectl("create", "--filename=-", stdin=json.dumps(other))
    for other, told in (
        (packages, "belongs to the package first"),
        (config_map(namespace, "sets", k="1"), r"belongs to another tool \(its set is applyset-other-v1\)"),
        (config_map(namespace, "controlled", k="2"), f"is made and kept by Namespace {namespace}"),
    ):
        with pytest.raises(ClusterError, match=told):
            operator.apply("second", mine, other, force=True)
    assert operator.get("v1", "ConfigMap", namespace, "mine") is None
    assert operator.get("v1", "Secret", "kube-system", "hearth-second") is None
    operator.remove("first")
