# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube import options
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.module_utils._package import spec_live
from ansible_collections.hearth.cluster.plugins.modules import object_patch

from tests.support.contract import config_map, definition
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from .kube_module import Runner, RunnerFor, assert_documented

KINDS = {each.kind: each for each in BUILT_IN}
PASSWORD = "correct-horse-battery"
SHAPE = {"changed", "message", "object", "fields", "health", "package"}


@pytest.fixture
def cluster(cluster: FakeCluster) -> FakeCluster:
    cluster.apply(KINDS["ConfigMap"], config_map("default", "it", a="1", b="2"))
    cluster.writes.clear()
    return cluster


@pytest.fixture
def run(runner_for: RunnerFor) -> Runner:
    return runner_for(object_patch)


def deployment(**container: Any) -> dict[str, Any]:
    containers = [{"name": "web", "image": "web:1", **container}, {"name": "side", "image": "side:1"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    }


@pytest.mark.parametrize(
    ("patch", "fields", "data"),
    [
        ({"merge": {"data": {"a": "9"}}}, ["data.a"], {"a": "9", "b": "2"}),
        ({"merge": {"data": {"a": None}}}, ["data.a"], {"b": "2"}),
        ({"set": {"data.c": "3"}}, ["data.c"], {"a": "1", "b": "2", "c": "3"}),
        ({"json": [{"op": "replace", "path": "/data/b", "value": "7"}]}, ["data.b"], {"a": "1", "b": "7"}),
    ],
)
def test_every_way_of_patching_changes_once(
    run: Runner, cluster: FakeCluster, patch: dict[str, Any], fields: list[str], data: dict[str, str]
) -> None:
    first = run(kind="ConfigMap", name="it", **patch)
    assert set(first) - {"invocation"} == SHAPE
    assert (first["changed"], first["fields"]) == (True, fields)
    assert cluster.objects["", "ConfigMap", "default", "it"]["data"] == data
    second = run(kind="ConfigMap", name="it", **patch)
    assert set(second) - {"invocation"} == SHAPE
    assert (second["changed"], second["fields"]) == (False, [])
    assert cluster.writes == ["patch ConfigMap default/it"]


def test_check_mode_writes_nothing_and_shows_what_would_change(run: Runner, cluster: FakeCluster) -> None:
    answer = run(kind="ConfigMap", name="it", set={"data.a": "9"}, _ansible_check_mode=True, _ansible_diff=True)
    assert answer["changed"] is True
    assert (answer["diff"][0]["before"], answer["diff"][0]["after"]) == ("data:\n  a: '1'\n", "data:\n  a: '9'\n")
    assert cluster.writes == []


def test_lists_are_merged_by_their_keys_unless_they_shall_be_replaced(run: Runner, cluster: FakeCluster) -> None:
    cluster.apply(KINDS["Deployment"], deployment())
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}

    def images() -> list[str]:
        spec = cluster.objects["apps", "Deployment", "default", "web"]["spec"]
        return [each["image"] for each in spec["template"]["spec"]["containers"]]

    run(kind="Deployment", name="web", merge=patch, wait=False)
    assert images() == ["web:2", "side:1"]
    run(kind="Deployment", name="web", merge=patch, lists="replace", wait=False)
    assert images() == ["web:2"]


def test_fields_are_noted_under_the_name_that_is_asked_for(run: Runner, cluster: FakeCluster) -> None:
    for manager in ("hearth-patch", "me"):
        run(kind="ConfigMap", name="it", set={"data.a": manager}, **({"manager": "me"} if manager == "me" else {}))
        entries = cluster.objects["", "ConfigMap", "default", "it"]["metadata"]["managedFields"]
        assert entries[-1]["manager"] == manager


def test_what_somebody_writes_in_between_is_kept(run: Runner, cluster: FakeCluster) -> None:
    stale = RefusedError("Cannot patch: the object has been modified", Reason.STALE, status=409)
    cluster.broken.append(("patch ConfigMap it", stale))
    assert run(kind="ConfigMap", name="it", set={"data.a": "9"})["changed"] is True


def test_a_package_that_will_take_the_change_back_is_named(
    run: Runner, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(object_patch.DiscreetModule, "warn", lambda _module, warning: warnings.append(warning))
    cluster.apply(KINDS["ConfigMap"], config_map("default", "owned", {"hearth.cluster/package": "blog"}, a="1"))
    free = run(kind="ConfigMap", name="owned", set={"data.new": "1"})
    assert (free["package"], warnings) == ("blog", [])
    run(kind="ConfigMap", name="owned", set={"data.a": "2"})
    assert "belongs to package blog, whose next run takes this change back" in warnings[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kind": "ConfigMop", "name": "it", "set": {"data.a": "1"}}, "has no kind ConfigMop; did you mean ConfigMap"),
        (
            {"kind": "ConfigMap", "api_version": "v2", "name": "it", "set": {"data.a": "1"}},
            "has no kind ConfigMap in v2; it has ConfigMap in v1",
        ),
        (
            {"kind": "ConfigMap", "name": "its", "set": {"data.a": "1"}},
            "no ConfigMap default/its in this cluster; did you",
        ),
        (
            {"kind": "Service", "name": "web", "set": {"spec.type": "ClusterIP"}},
            "There is no Service default/web in this cluster; there is none at all in namespace default",
        ),
        (
            {"kind": "ConfigMap", "name": "it", "namespace": "other", "set": {"data.a": "1"}},
            "no ConfigMap other/it in this cluster; there is one in namespace default",
        ),
        (
            {"kind": "ConfigMap", "name": "it", "json": [{"op": "remove", "path": "/data/aa"}]},
            "ConfigMap default/it: operation 1 of the JSON patch",
        ),
        ({"kind": "ConfigMap", "name": "it", "set": {"data[name=x].y": "1"}}, "data is no list, so it has no elements"),
        ({"kind": "ConfigMap", "name": "it", "set": {"status.a": "1"}}, "status is what its controller reports"),
        ({"kind": "ConfigMap", "name": "it", "merge": {"$patch": "delete"}}, "the patch deletes the object"),
        ({"kind": "ConfigMap", "name": "it", "set": {}}, "the patch is empty"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(
    run: Runner, cluster: FakeCluster, arguments: dict[str, Any], told: str
) -> None:
    answer = run(**arguments)
    assert answer["failed"] is True
    assert told in answer["msg"]
    assert cluster.writes == []


def test_an_unknown_field_is_told_with_what_was_probably_meant(run: Runner, cluster: FakeCluster) -> None:
    cluster.apply(KINDS["Deployment"], deployment())
    unknown = 'Cannot patch Deployment default/web: strict decoding error: unknown field "spec.template.spec.container"'
    cluster.broken.append(("patch Deployment web", RefusedError(unknown, Reason.MISFIT, status=400)))
    answer = run(kind="Deployment", name="web", set={"spec.template.spec.container[+]": "x"})
    assert "did you mean containers" in answer["msg"]


def test_several_groups_with_one_kind_must_be_told_apart(run: Runner, cluster: FakeCluster) -> None:
    for group in ("one.example.org", "two.example.org"):
        cluster.apply(KINDS["CustomResourceDefinition"], definition(group, "Thing"))
    told = run(kind="Thing", name="it", set={"spec.a": 1})["msg"]
    assert "write Thing.one.example.org or Thing.two.example.org" in told
    assert "There is no Thing default/it" in run(kind="Thing.two.example.org", name="it", set={"spec.a": 1})["msg"]


def test_a_list_of_a_custom_kind_merges_by_its_own_schema(run: Runner, cluster: FakeCluster) -> None:
    crd = definition("example.org", "Thing")
    items = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"items": items}}}}
    crd["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    cluster.apply(KINDS["CustomResourceDefinition"], crd)
    things = cluster.catalogue().find("example.org/v1", "Thing")
    assert things is not None
    metadata = {"name": "it", "namespace": "default"}
    spec = {"items": [{"id": "a", "v": 1}, {"id": "b", "v": 1}]}
    cluster.apply(things, {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": metadata, "spec": spec})
    run(kind="Thing", name="it", merge={"spec": {"items": [{"id": "b", "v": 2}]}}, wait=False)
    live = cluster.objects["example.org", "Thing", "default", "it"]
    assert live["spec"]["items"] == [{"id": "a", "v": 1}, {"id": "b", "v": 2}]


def test_a_secret_is_patched_once_and_shown_nowhere(run: Runner, cluster: FakeCluster) -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    old = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "default"},
        "data": {"p": "b2xk"},
    }
    cluster.apply(KINDS["Secret"], old)
    arguments = {"kind": "Secret", "name": "s", "_ansible_diff": True, "_ansible_verbosity": 4}
    first = run(**arguments, merge={"stringData": {"p": PASSWORD}})
    assert first["changed"] is True
    assert "hidden, after" in first["diff"][0]["after"]
    assert cluster.objects["", "Secret", "default", "s"]["data"] == {"p": encoded}
    assert run(**arguments, merge={"stringData": {"p": PASSWORD}})["changed"] is False
    assert run(**arguments, set={"data.p": encoded})["changed"] is False
    run(**arguments, json=[{"op": "test", "path": "/data/p", "value": PASSWORD}])
    run(**{**arguments, "kind": "Sekret"}, merge={"stringData": {"p": "nothing"}})
    assert PASSWORD not in run.output
    assert encoded not in run.output
    assert "b2xk" not in run.output


def test_it_waits_for_the_health_that_is_asked_for(run: Runner, cluster: FakeCluster, tmp_path: Path) -> None:
    ready = run(kind="ConfigMap", name="it", set={"data.a": "9"}, healthy="data.a == '9'")
    assert ready["health"] == {"status": "Current", "message": "data.a == '9' is true"}
    never = run(kind="ConfigMap", name="it", set={"data.a": "8"}, healthy="data.a == '9'", wait_timeout=1)
    assert never["failed"] is True
    assert "data.a == '9' is not true yet" in never["msg"]
    assert (never["reason"], never["changed"]) == ("timeout", True)
    again = run(kind="ConfigMap", name="it", set={"data.a": "8"}, healthy="data.a == '9'", wait_timeout=1)
    assert (again["failed"], again["changed"]) == (True, False)
    unasked = run(kind="ConfigMap", name="it", set={"data.a": "7"}, healthy="data.a == '9'", wait=False)
    assert unasked["health"]["status"] == "InProgress"


def test_documentation_and_options_agree() -> None:
    assert_documented(object_patch, {**options.CONNECTION, **spec_live.OBJECT})
