# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._package import spec_live
from ansible_collections.hearth.cluster.plugins.modules import package, package_info

from tests.support.contract import config_map
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from .kube_module import Runner, RunnerFor, assert_documented

KINDS = {each.kind: each for each in BUILT_IN}
PASSWORD = "correct-horse-battery"
CLEAN = {"missing": 0, "replaced": 0, "changed": 0, "terminating": 0, "unfinished": 0}


@pytest.fixture
def install(runner_for: RunnerFor, cluster: FakeCluster, tmp_path: Path) -> Callable[..., None]:
    run = runner_for(package, search_path=[str(tmp_path)])

    def install(name: str, *objects: dict[str, Any], **options: Any) -> None:
        source = {"source": {"inline": list(objects)}} if objects else {}
        answer = run(name=name, **source, **options)
        assert "failed" not in answer, answer["msg"]
        cluster.writes.clear()

    return install


@pytest.fixture
def look(runner_for: RunnerFor) -> Runner:
    return runner_for(package_info)


def drifts(answer: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["drift"] for each in answer["packages"][0]["objects"]}


def keys(value: Any) -> Any:
    """The shape of an answer: its keys, without what stands under them."""
    return {key: keys(part) for key, part in value.items()} if isinstance(value, dict) else None


def test_what_is_installed_is_told_in_one_shape(look: Runner, install: Any, cluster: FakeCluster) -> None:
    assert look()["packages"] == []
    install("b", config_map("default", "one", k="1"), config_map("default", "two", k="1"))
    install("a", config_map("default", "three", k="1"))
    answer = look()
    first, second = answer["packages"]
    assert [each["name"] for each in answer["packages"]] == ["a", "b"]
    assert second["counts"] == {"objects": 2, "ready": 2, **CLEAN}
    assert second["health"] == {"status": "Current", "message": "2 of 2 objects ready"}
    assert (second["installed"], second["healthy"], second["drifted"]) == (True, True, False)
    assert second["source"] == "inline"
    assert len(second["digest"]) == 64
    assert [(each["release"], each["current"]) for each in second["history"]] == [(1, True)]
    (absent,) = look(name=["nobody"])["packages"]
    assert absent["installed"] is False
    assert absent["health"] == {"status": "Unknown", "message": "not installed"}
    assert keys(absent) == keys(first)
    assert cluster.writes == []


def test_what_somebody_did_is_told_from_metadata(look: Runner, install: Any, cluster: FakeCluster) -> None:
    names = ("kept", "gone", "other", "changed")
    install("p", *(config_map("default", name, k="1") for name in names))
    del cluster.objects["", "ConfigMap", "default", "gone"]
    del cluster.objects["", "ConfigMap", "default", "other"]
    cluster.apply(KINDS["ConfigMap"], config_map("default", "other", k="1"), manager="somebody")
    cluster.changed_by("kubectl-edit", KINDS["ConfigMap"], "default", "changed", {"data": {"k": "2"}})
    cluster.writes.clear()
    answer = look()
    assert drifts(answer) == {"kept": "", "gone": "missing", "other": "replaced", "changed": "changed"}
    (told,) = answer["packages"]
    assert told["counts"] == {"objects": 4, "ready": 3, **CLEAN, "missing": 1, "replaced": 1, "changed": 1}
    assert told["drifted"] is True
    assert told["health"]["message"] == "3 of 4 objects ready, ConfigMap default/gone: it is not there"
    by_name = {each["name"]: each for each in told["objects"]}
    assert by_name["changed"]["managers"] == ["kubectl-edit"]
    assert by_name["changed"]["fields"] == []
    assert cluster.writes == []


def test_the_fields_that_the_next_run_sets_back_are_told_on_request(
    look: Runner, install: Any, cluster: FakeCluster
) -> None:
    install("p", config_map("default", "it", k="1", same="x"))
    cluster.changed_by("kubectl-edit", KINDS["ConfigMap"], "default", "it", {"data": {"k": "2"}, "more": "mine"})
    (seen,) = look(exact=True)["packages"][0]["objects"]
    assert seen["fields"] == ["data.k"]
    assert cluster.writes == []


def test_what_a_controller_changes_is_no_drift(look: Runner, install: Any, cluster: FakeCluster) -> None:
    install("p", config_map("default", "it", k="1"))
    cluster.changed_by("controller", KINDS["ConfigMap"], "default", "it", {"data": {"theirs": "2"}})
    assert drifts(look()) == {"it": ""}


def test_an_object_without_its_label_is_found_all_the_same(look: Runner, install: Any, cluster: FakeCluster) -> None:
    install("p", config_map("default", "it", k="1"))
    del cluster.objects["", "ConfigMap", "default", "it"]["metadata"]["labels"]
    assert look()["packages"][0]["counts"]["missing"] == 0


def test_health_is_that_of_now(look: Runner, install: Any, cluster: FakeCluster) -> None:
    spec_ = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": []}}}
    metadata = {"name": "web", "namespace": "default"}
    content = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec_}
    install("p", content, wait=False)
    (told,) = look()["packages"]
    assert told["health"] == {
        "status": "InProgress",
        "message": "0 of 1 objects ready, Deployment default/web: 0 of 2 replicas are created",
    }
    assert told["healthy"] is False


def test_a_kind_that_is_gone_took_its_objects_with_it(look: Runner, install: Any, cluster: FakeCluster) -> None:
    install("p", config_map("default", "it", k="1"))
    record = cluster.catalogue
    cluster.catalogue = lambda **_options: type(record())(  # type: ignore[method-assign]
        each for each in BUILT_IN if each.kind != "ConfigMap"
    )
    assert drifts(look()) == {"it": "missing"}


def test_the_version_is_the_one_that_was_asked_for(look: Runner, install: Any, tmp_path: Path) -> None:
    (tmp_path / "v2.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    address = "https://user:hunter2@example.org/{version}.yaml"
    mirrors = {"https://user:hunter2@example.org/": str(tmp_path)}
    install("p", source={"url": address, "version": "v2"}, mirrors=mirrors)
    (told,) = look()["packages"]
    assert (told["version"], told["source"]) == ("v2", "url https://example.org/{version}.yaml v2")
    assert "hunter2" not in look.output


def test_earlier_releases_are_told(look: Runner, install: Any) -> None:
    for value in "123":
        install("p", config_map("default", "it", k=value))
    history = look()["packages"][0]["history"]
    assert [each["release"] for each in history] == [1, 2, 3]
    assert [each["current"] for each in history] == [False, False, True]
    assert all(each["made"] for each in history)


def test_no_secret_is_told(look: Runner, install: Any, cluster: FakeCluster) -> None:
    install("p", secrets=[{"name": "s", "hash": False, "values": {"password": PASSWORD}}], namespace="default")
    cluster.changed_by("me", KINDS["Secret"], "default", "s", {"data": {"password": "b3RoZXItcGFzc3dvcmQ="}})
    assert look(exact=True, _ansible_verbosity=4)["packages"][0]["objects"][0]["fields"] == ["data.password"]
    for secret in (PASSWORD, "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "b3RoZXItcGFzc3dvcmQ="):
        assert secret not in look.output


def test_documentation_and_options_agree() -> None:
    assert_documented(package_info, {**CONNECTION, **spec_live.INFO})
