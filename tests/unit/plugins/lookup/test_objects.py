# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup on a cluster in memory."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.hearth.cluster.plugins.lookup import objects

from tests.support.contract import config_map
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from . import kube_lookup

MAPS = next(each for each in BUILT_IN if each.kind == "ConfigMap")


@pytest.fixture
def cluster(cluster: FakeCluster) -> FakeCluster:
    for namespace, name, app in (("kube-system", "a", "x"), ("default", "b", "x"), ("default", "a", "y")):
        cluster.apply(MAPS, config_map(namespace, name, {"app": app}, key=f"{namespace}/{name}"))
    cluster.writes.clear()
    return cluster


def ask(*kinds: str, **options: Any) -> list[Any]:
    return kube_lookup.ask(objects, *kinds, **options)


def test_objects_come_whole_in_order_and_without_their_owners(cluster: FakeCluster) -> None:
    found = ask("ConfigMap")
    assert [each["data"]["key"] for each in found] == ["default/a", "default/b", "kube-system/a"]
    assert {each["kind"] for each in found} == {"ConfigMap"}
    assert not any("managedFields" in each["metadata"] for each in found)
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"namespace": "default"}, ["default/a", "default/b"]),
        ({"label_selector": "app in (x, z)"}, ["default/b", "kube-system/a"]),
        ({"namespace": "default", "name": "b"}, ["default/b"]),
        ({"namespace": "default", "name": "nobody"}, []),
        ({"api_version": "v1", "namespace": "kube-system"}, ["kube-system/a"]),
    ],
)
def test_objects_are_chosen(cluster: FakeCluster, options: dict[str, str], keys: list[str]) -> None:
    assert [each["data"]["key"] for each in ask("ConfigMap", **options)] == keys


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("[].metadata.name", ["a", "b", "a"]),
        ("length(@)", [3]),
        ("[?metadata.name=='none'] | [0]", []),
        ("[0].{name: metadata.name}", [{"name": "a"}]),
    ],
)
def test_the_answer_to_a_query_is_always_a_list(cluster: FakeCluster, query: str, answer: list[Any]) -> None:
    assert ask("ConfigMap", query=query) == answer


def test_several_kinds_are_answered_in_turn(cluster: FakeCluster) -> None:
    assert ask("Namespace", "ConfigMap", query="[].kind") == ["Namespace"] * 2 + ["ConfigMap"] * 3


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("ConfigMop", {}, "this cluster has no kind ConfigMop; did you mean ConfigMap"),
        ("ConfigMap", {"name": "a"}, "name the namespace too"),
        ("ConfigMap", {"query": "[?"}, "query: '[?' is no JMESPath expression"),
        ("ConfigMap", {"label_selector": "a in"}, "label selector 'a in'"),
    ],
)
def test_a_mistake_is_one_sentence(cluster: FakeCluster, kind: str, options: dict[str, str], told: str) -> None:
    with pytest.raises(AnsibleLookupError) as error:
        ask(kind, **options)
    assert told in str(error.value)
