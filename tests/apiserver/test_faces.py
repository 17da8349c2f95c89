# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks at live objects, and changes one of them, on a real API server with simulated nodes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HearthError, InputError, NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import open_cluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.client import Access
from ansible_collections.hearth.cluster.plugins.module_utils._package.live_object import Changed
from ansible_collections.hearth.cluster.plugins.module_utils._package.look import Wanted, answer
from ansible_collections.hearth.cluster.plugins.module_utils._package.result_info import result_of_survey
from ansible_collections.hearth.cluster.plugins.module_utils._package.spec_live import (
    OBJECT,
    change_of,
    patcher_for,
    survey_for,
)

from tests.lab.apiserver import ApiServer
from tests.support.contract import config_map, definition
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver


class Hand:
    """Patches objects and asks about packages as the modules do."""

    def __init__(self, kubeconfig: Path) -> None:
        self.params = {"kubeconfig": str(kubeconfig), "context": None, "server": None, "request_timeout": 60}
        self.cluster = open_cluster(Access(kubeconfig=str(kubeconfig)))
        self.lines: list[str] = []

    def patch(self, kind: str, namespace: str, name: str, *, check: bool = False, **options: Any) -> Changed:
        defaults = {key: option.get("default") for key, option in OBJECT.items()}
        params = {**self.params, **defaults, "kind": kind, "namespace": namespace, "name": name, **options}
        patcher = patcher_for(params, check=check, report=self.lines.append)
        return patcher.run(change_of(params, patcher.cluster.catalogue()))

    def info(self, *names: str, exact: bool = False) -> list[dict[str, Any]]:
        seen = survey_for({**self.params, "exact": exact}).of(names)
        packages: list[dict[str, Any]] = json.loads(json.dumps(result_of_survey(seen)))["packages"]
        return packages

    def objects(self, *kinds: str, **options: str) -> list[Any]:
        return answer(self.cluster, Wanted(kinds, **options))


@pytest.fixture
def hand(kubeconfig: Path) -> Hand:
    return Hand(kubeconfig)


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def deployment(namespace: str, image: str = "web:1", replicas: int = 1) -> dict[str, Any]:
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]
    containers = [{"name": "web", "image": image, "ports": ports}, {"name": "side", "image": "side:1"}]
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


@pytest.fixture
def web(api_server: ApiServer, namespace: str) -> str:
    """A namespace with a Deployment that nobody's package owns."""
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(deployment(namespace)))
    return namespace


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({"set": {"spec.replicas": 2}}, ("spec.replicas",)),
        ({"json": [{"op": "replace", "path": "/spec/replicas", "value": 2}]}, ("spec.replicas",)),
        (
            {"merge": {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}}},
            ("spec.template.spec.containers[name=side].image",),
        ),
        (
            {"merge": {"metadata": {"annotations": {"a": "1"}}}, "lists": "replace"},
            ("metadata.annotations.a",),
        ),
    ],
)
def test_a_patch_is_tried_carried_out_and_done_once(
    hand: Hand, web: str, patch: dict[str, Any], fields: tuple[str, ...]
) -> None:
    tried = hand.patch("Deployment", web, "web", check=True, **patch)
    assert tried.fields == fields
    first = hand.patch("Deployment", web, "web", **patch)
    assert first.fields == fields
    assert first.health.is_current
    second = hand.patch("Deployment", web, "web", **patch)
    assert second.fields == ()
    assert second.after is second.before  # nothing was sent
    owners = {entry["manager"] for entry in first.after["metadata"]["managedFields"]}
    assert "hearth-patch" in owners


def test_ports_of_two_protocols_stay_apart(hand: Hand, web: str) -> None:
    port = {"containerPort": 53, "protocol": "TCP", "name": "dns-tcp"}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "ports": [port]}]}}}}
    after = hand.patch("Deployment", web, "web", merge=patch).after
    ports = after["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert {(each["protocol"], each.get("name")) for each in ports} == {("UDP", None), ("TCP", "dns-tcp")}


def test_an_unknown_field_is_refused_with_what_was_probably_meant(hand: Hand, web: str) -> None:
    with pytest.raises(HearthError, match=r'unknown field "spec.replica"; did you mean replicas\?'):
        hand.patch("Deployment", web, "web", set={"spec.replica": 3})


def test_an_object_that_is_not_there_is_told_with_where_it_is(hand: Hand, api_server: ApiServer) -> None:
    told = "no Deployment default/coredns-it in this cluster; there is one in namespace kube-public"
    other = deployment("kube-public", replicas=0)
    other["metadata"]["name"] = "coredns-it"
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(other))
    with pytest.raises(InputError, match=told):
        hand.patch("Deployment", "default", "coredns-it", set={"spec.replicas": 3})
    api_server.kubectl("-n", "kube-public", "delete", "deployment", "coredns-it")


def test_a_list_of_a_custom_kind_merges_by_its_schema(hand: Hand, api_server: ApiServer, namespace: str) -> None:
    group = f"{namespace}.example.org"
    crd = definition(group, "Thing")
    item = {"type": "object", "properties": {"id": {"type": "string"}, "v": {"type": "integer"}}, "required": ["id"]}
    items = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["id"],
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"items": items}}}}
    crd["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(crd))
    api_server.kubectl("wait", "--for=condition=Established", f"crd/things.{group}")
    thing = {
        "apiVersion": f"{group}/v1",
        "kind": "Thing",
        "metadata": {"name": "it", "namespace": namespace},
        "spec": {"items": [{"id": "a", "v": 1}, {"id": "b", "v": 1}]},
    }
    deadline = time.monotonic() + 20
    while not hand.cluster.catalogue(fresh=True).find(f"{group}/v1", "Thing") and time.monotonic() < deadline:
        time.sleep(0.2)
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(thing))
    after = hand.patch("Thing", namespace, "it", merge={"spec": {"items": [{"id": "b", "v": 2}]}}, wait=False).after
    assert after["spec"]["items"] == [{"id": "a", "v": 1}, {"id": "b", "v": 2}]
    with pytest.raises(HearthError, match=r"unknown field .*spec.itms.*did you mean items"):
        hand.patch("Thing", namespace, "it", set={"spec.itms": []}, wait=False)
    api_server.kubectl("delete", f"crd/things.{group}")


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        ("crashing", ("crashes: exit code 1, 5 restarts", "BackOff: Back-off restarting failed container")),
        ("unready", ("container web of pod", "runs and is not ready", "statuscode: 503")),
        ("missing", ("cannot get its image lab.invalid/missing:1", "Failed: Error: ErrImagePull")),
    ],
)
def test_what_keeps_pods_from_running_is_told(hand: Hand, web: str, fate: str, words: tuple[str, ...]) -> None:
    image = f"lab.invalid/{fate}:1"
    with pytest.raises(NotReadyError) as error:
        hand.patch("Deployment", web, "web", set={"spec.template.spec.containers[0].image": image}, wait_timeout=6)
    told = str(error.value)
    for part in (*words, f"Deployment {web}/web", f"Image {image} on node simulated-", "amd64"):
        assert part in told


def test_the_health_that_is_asked_for_is_waited_for(hand: Hand, web: str) -> None:
    changed = hand.patch(
        "Deployment", web, "web", set={"spec.replicas": 3}, healthy="status.readyReplicas == `3`", wait_timeout=60
    )
    assert changed.now["status"]["readyReplicas"] == 3
    with pytest.raises(NotReadyError, match=r"status.readyReplicas == `9` is not true yet"):
        hand.patch(
            "Deployment", web, "web", set={"spec.replicas": 3}, healthy="status.readyReplicas == `9`", wait_timeout=1
        )


def test_a_package_waits_for_what_its_operator_calls_healthy(operator: Operator, namespace: str) -> None:
    rule = {"target": {"kind": "Deployment"}, "where": "status.readyReplicas == `2`"}
    content = deployment(namespace, replicas=2)
    outcome = operator.apply("expected", content, healthy=[rule], wait=True, wait_timeout=60)
    assert outcome.waited
    with pytest.raises(NotReadyError, match=r"status.readyReplicas == `5` is not true yet"):
        never = {**rule, "where": "status.readyReplicas == `5`"}
        operator.apply("expected", deployment(namespace, replicas=1), healthy=[never], wait=True, wait_timeout=2)
    operator.remove("expected")


def test_what_is_installed_is_told_and_what_was_done_to_it(
    hand: Hand, operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    maps = [config_map(namespace, name, k="1") for name in ("kept", "gone", "edited")]
    operator.apply("surveyed", deployment(namespace), *maps, wait=True, wait_timeout=60)
    (before,) = hand.info("surveyed")
    assert (before["drifted"], before["counts"]["objects"], before["counts"]["ready"]) == (False, 4, 4)
    assert before["health"]["status"] == "Current"

    api_server.kubectl("-n", namespace, "delete", "configmap", "gone")
    api_server.kubectl("-n", namespace, "patch", "configmap", "edited", "--patch", '{"data": {"k": "2"}}')
    api_server.kubectl("-n", namespace, "scale", "deployment/web", "--replicas=3")
    versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in hand.objects("ConfigMap")}
    (after,) = hand.info("surveyed", exact=True)
    by_name = {each["name"]: each for each in after["objects"]}
    assert {name: each["drift"] for name, each in by_name.items()} == {
        "kept": "",
        "gone": "missing",
        "edited": "changed",
        "web": "changed",
    }
    assert by_name["edited"]["managers"] == ["kubectl-patch"]
    assert by_name["edited"]["fields"] == ["data.k"]
    assert by_name["web"]["fields"] == ["spec.replicas"]
    assert "kubectl" in by_name["web"]["managers"]
    assert versions == {
        each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in hand.objects("ConfigMap")
    }
    operator.remove("surveyed")
    assert hand.info("surveyed")[0]["installed"] is False


def test_a_patched_object_of_a_package_is_told_as_one_that_will_be_taken_back(
    hand: Hand, operator: Operator, namespace: str
) -> None:
    operator.apply("owned", config_map(namespace, "it", k="1"))
    assert hand.patch("ConfigMap", namespace, "it", set={"data.k": "2"}).will_be_taken_back
    assert operator.apply("owned", config_map(namespace, "it", k="1")).plan.counts()["update"] == 1
    assert not hand.patch("ConfigMap", namespace, "it", set={"data.own": "2"}).will_be_taken_back
    assert not operator.apply("owned", config_map(namespace, "it", k="1")).plan.changed
    operator.remove("owned")


def test_live_objects_are_looked_up(hand: Hand, operator: Operator, namespace: str) -> None:
    for name in ("b", "a"):
        operator.apply(f"looked-{name}", config_map(namespace, name, k=name), labels={"own": "yes"})
    assert hand.objects("ConfigMap", namespace=namespace, label_selector="own", query="[].data.k") == ["a", "b"]
    assert hand.objects("ConfigMap", namespace=namespace, name="b", query="[].metadata.managedFields") == []
    assert hand.objects("Node", query="length(@)") == [3]
    for name in ("b", "a"):
        operator.remove(f"looked-{name}")
