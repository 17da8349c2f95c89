# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformations, patches and generators, on their own and together."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Catalogue
from ansible_collections.hearth.cluster.plugins.module_utils._package.build import build
from ansible_collections.hearth.cluster.plugins.module_utils._package.customise.generate import (
    generate,
    name_digest,
    read_generated,
)
from ansible_collections.hearth.cluster.plugins.module_utils._package.customise.transform import image_name
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package

from tests.support.fake_cluster import BUILT_IN
from tests.unit.fixtures import each


def deployment(name: str = "web", namespace: str = "", **container: Any) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    pod = {"containers": [{"name": "main", "image": "nginx:1", **container}]}
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    return Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}, "a.yaml:1")


def object_of(kind: str, name: str = "web", namespace: str = "", **content: Any) -> Manifest:
    api = next(each.api_version for each in BUILT_IN if each.kind == kind)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Manifest({"apiVersion": api, "kind": kind, "metadata": metadata, **content}, "a.yaml:9")


def built(*manifests: Manifest, files: dict[str, bytes] | None = None, **options: Any) -> dict[str, dict[str, Any]]:
    package = read_package({"name": "p", "source": {"directory": "x"}, **options}, "packages[0]")
    made = build(package, manifests, lambda _pattern: files or {}, Catalogue(BUILT_IN))
    return {f"{each.kind} {each.identity.namespace}/{each.identity.name}": dict(each.content) for each in made}


def test_without_a_wish_everything_is_in_default() -> None:
    assert list(built(deployment(), object_of("ClusterRole"))) == ["Deployment default/web", "ClusterRole /web"]


def test_every_object_carries_the_packages_labels_and_its_pods_do_not() -> None:
    labels = built(deployment())["Deployment default/web"]["metadata"]["labels"]
    assert labels["hearth.cluster/package"] == "p"
    assert labels["applyset.kubernetes.io/part-of"].startswith("applyset-")
    assert built(deployment())["Deployment default/web"]["spec"] == deployment().content["spec"]


def test_a_namespace_moves_what_has_one_and_brings_it_along() -> None:
    binding = object_of(
        "RoleBinding",
        namespace="old",
        subjects=[
            {"kind": "ServiceAccount", "name": "web", "namespace": "old"},
            {"kind": "ServiceAccount", "name": "other", "namespace": "elsewhere"},
        ],
    )
    moved = built(
        object_of("Namespace", "old"),
        deployment(namespace="old"),
        object_of("ServiceAccount", namespace="old"),
        binding,
        namespace="new",
    )
    assert sorted(moved) == ["Deployment new/web", "Namespace /new", "RoleBinding new/web", "ServiceAccount new/web"]
    assert [subject["namespace"] for subject in moved["RoleBinding new/web"]["subjects"]] == ["new", "elsewhere"]


def test_webhooks_follow_their_service() -> None:
    hook = object_of(
        "ValidatingWebhookConfiguration",
        webhooks=[{"name": "x", "clientConfig": {"service": {"name": "web", "namespace": "old", "path": "/"}}}],
    )
    moved = built(object_of("Service", namespace="old"), hook, namespace="new")
    webhook = moved["ValidatingWebhookConfiguration /web"]["webhooks"][0]
    assert webhook["clientConfig"]["service"] == {"name": "web", "namespace": "new", "path": "/"}


def test_labels_reach_pods_and_never_selectors() -> None:
    made = built(deployment(), labels={"team": "home"}, annotations={"note": "x"})["Deployment default/web"]
    assert made["metadata"]["labels"]["team"] == "home"
    assert made["spec"]["template"]["metadata"] == {
        "labels": {"app": "web", "team": "home"},
        "annotations": {"note": "x"},
    }
    assert made["spec"]["selector"] == {"matchLabels": {"app": "web"}}


@pytest.mark.parametrize(
    ("image", "full_name"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.2", "docker.io/library/nginx"),
        ("docker.io/library/nginx@sha256:00", "docker.io/library/nginx"),
        ("grafana/grafana:1", "docker.io/grafana/grafana"),
        ("quay.io/a/b:c@sha256:00", "quay.io/a/b"),
        ("localhost:5000/a:1", "localhost:5000/a"),
    ],
)
def test_images_are_known_by_their_full_name(image: str, full_name: str) -> None:
    assert image_name(image) == full_name


@pytest.mark.parametrize(
    ("new", "result"),
    [(":2", "nginx:2"), ("@sha256:00", "nginx:1@sha256:00"), ("registry.lan/nginx:3", "registry.lan/nginx:3")],
)
def test_an_image_is_replaced_in_part_or_whole(new: str, result: str) -> None:
    made = built(deployment(), images={"docker.io/library/nginx": new})["Deployment default/web"]
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == result


def test_replicas_are_set_by_name() -> None:
    assert built(deployment(), replicas={"web": 3})["Deployment default/web"]["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"images": {"ngnix": ":2"}}, r"images names 'ngnix', which none of its containers uses; did you mean nginx\?"),
        ({"replicas": {"wbe": 2}}, r"replicas names 'wbe', which is no workload of it; did you mean web\?"),
        (
            {"patches": [{"target": {"kind": "Deployment", "name": "wbe"}, "remove": True}]},
            r"patches\[0\]: no object matches kind=Deployment, name=wbe; did you mean web\?",
        ),
        (
            {"patches": [{"target": {"kind": "Deploymint"}, "remove": True}]},
            r"no object matches kind=Deploymint; kinds in this package: did you mean Deployment\?",
        ),
        (
            {"patches": [{"target": {"kind": "Deployment"}, "json": [{"op": "remove", "path": "/spec/replicsa"}]}]},
            r"patches\[0\]: Deployment default/web: .*replicsa",
        ),
        ({"patches": [{"target": {"kind": ".*"}, "remove": True}]}, r"package p has no objects; .* state: absent"),
    ],
)
def test_what_meets_nothing_is_an_error_with_near_misses(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        built(deployment(), **options)


def test_all_kinds_of_patches_in_order() -> None:
    tcp = {"port": 53, "protocol": "TCP", "name": "tcp"}
    made = built(
        deployment(),
        object_of("Service", spec={"type": "ClusterIP", "ports": [{"port": 53, "protocol": "UDP", "name": "udp"}]}),
        object_of("ConfigMap", "unwanted"),
        patches=[
            {"target": {"kind": "Service"}, "merge": {"spec": {"ports": [tcp]}}},
            {"target": {"kind": "Service"}, "json": [{"op": "replace", "path": "/spec/type", "value": "LoadBalancer"}]},
            {"where": "kind == 'Deployment'", "set": {"spec.template.spec.containers[name=main].image": "x"}},
            {"target": {"name": "unw.*"}, "remove": True},
            {"merge": {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}}},
        ],
    )
    assert sorted(made) == ["Deployment default/web", "Service default/web"]
    ports = made["Service default/web"]["spec"]["ports"]
    assert {(port["port"], port["protocol"]) for port in ports} == {(53, "UDP"), (53, "TCP")}
    assert made["Service default/web"]["spec"]["type"] == "LoadBalancer"
    spec = made["Deployment default/web"]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (2, "x")


def test_patches_select_by_labels() -> None:
    labelled = object_of("ConfigMap", "a").with_metadata(labels={"tier": "test"})
    made = built(
        labelled, object_of("ConfigMap", "b"), patches=[{"target": {"labels": "tier in (test)"}, "remove": True}]
    )
    assert list(made) == ["ConfigMap default/b"]


def using(name: str) -> Manifest:
    volumes = [
        {"name": "c", "configMap": {"name": name}},
        {"name": "s", "secret": {"secretName": name}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": name}}, {"secret": {"name": name}}]}},
    ]
    env_from = [{"configMapRef": {"name": name}}, {"secretRef": {"name": name}}]
    manifest = deployment(
        envFrom=env_from, env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]
    )
    content: Any = manifest.content
    content["spec"]["template"]["spec"]["volumes"] = volumes
    return manifest


def test_generated_objects_are_named_by_their_content_and_references_follow() -> None:
    made = built(
        using("it"),
        files={"index.html": b"<p>", "logo.png": b"\xff\x00"},
        config_maps=[{"name": "it", "files": ["pages/*"], "values": {"k": "v"}}],
        secrets=[{"name": "it", "values": {"password": "x"}}],
    )
    (config_map,) = (name.partition("/")[2] for name in made if name.startswith("ConfigMap"))
    (secret,) = (name.partition("/")[2] for name in made if name.startswith("Secret"))
    assert config_map.startswith("it-")
    assert secret.startswith("it-")
    assert made[f"ConfigMap default/{config_map}"]["data"] == {"index.html": "<p>", "k": "v"}
    assert base64.b64decode(made[f"ConfigMap default/{config_map}"]["binaryData"]["logo.png"]) == b"\xff\x00"
    pod = made["Deployment default/web"]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["configMap"]["name"] == config_map
    assert pod["volumes"][1]["secret"]["secretName"] == secret
    assert pod["volumes"][2]["projected"]["sources"] == [
        {"configMap": {"name": config_map}},
        {"secret": {"name": secret}},
    ]
    container = pod["containers"][0]
    assert container["envFrom"] == [{"configMapRef": {"name": config_map}}, {"secretRef": {"name": secret}}]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == secret


def test_a_generated_object_can_keep_its_plain_name() -> None:
    made = built(using("it"), secrets=[{"name": "it", "hash": False, "values": {"password": "x"}}])
    assert "Secret default/it" in made


def test_two_files_of_one_name_are_refused() -> None:
    wanted = read_generated("ConfigMap")({"name": "it", "files": ["a/*"], "values": {"x": "1"}}, "config_maps[0]")
    with pytest.raises(InputError, match="would have two values under the key 'x'"):
        generate(wanted, lambda _pattern: {"x": b""}, "package p")


@each("kubernetes_core_unit_cases.yaml", lambda content: content["append_hash"])
def test_names_are_those_that_kustomize_gives(case: dict[str, Any]) -> None:
    assert name_digest(case["resource"]) == case["expected"]
