# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.change_groups import (
    change_rules,
    dependencies,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.order import stage_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.graph import stages
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity
from ansible_collections.hearth.cluster.tests.unit import fixtures

FILE = "kapp_change_graph_cases.yaml"

# Their edges come from kapp's own configuration. Where the stages of order.py say the same, that is tested below.
BY_CONFIGURATION = {
    "kapp/TestChangeGraphWithConfDefaults",
    "kapp/TestChangeGraphWithNamespaceAndCRDs",
    "kapp/TestChangeGraphWithAdditionalOrderRules",
}
NOT_OURS = {
    "kapp/TestGraphOrderWithClusterRoleAndClusterRoleBinding": "who may bind can do so before the role exists",
    "kapp/TestChangeGraphWithOptionalRulesThatProduceCycles": "rules made up for a circle: a Namespace after a Secret",
}


def documents(case: fixtures.Case) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(case["config"]) if document]


def lines(graph: str) -> list[tuple[int, str]]:
    """Return the nodes of a printed tree with their depth."""
    return [((len(line) - len(line.lstrip())) // 2, line.strip()) for line in graph.splitlines()]


def title(document: dict[str, Any], verb: str) -> str:
    metadata = document["metadata"]
    place = f"namespace: {metadata['namespace']}" if "namespace" in metadata else "cluster"
    return f"({verb}) {document['kind'].lower()}/{metadata['name']} ({document.get('apiVersion', '')}) {place}"


def tree(found: list[dict[str, Any]], needs: dict[int, list[int]], verb: str) -> Iterator[tuple[int, str]]:
    def node(place: int, depth: int) -> Iterator[tuple[int, str]]:
        yield depth, title(found[place], verb)
        for needed in needs[place]:
            yield from node(needed, depth + 1)

    for place in range(len(found)):
        yield from node(place, 0)


@fixtures.each(FILE, lambda content: [c for c in content["cases"] if c["id"] not in BY_CONFIGURATION | set(NOT_OURS)])
def test_published_graphs(case: fixtures.Case) -> None:
    found = documents(case)
    needs = dependencies(found, case["op"])
    assert list(tree(found, needs, case["op"])) == lines(case["expected_graph"])
    assert sum(map(len, stages(needs))) == len(found)


def edges(graph: str) -> Iterator[tuple[str, str]]:
    """Return who waits for whom in a printed tree."""
    path: list[str] = []
    for depth, name in lines(graph):
        path[depth:] = [name]
        if depth:
            yield path[depth - 1], name


@fixtures.each(FILE, lambda content: [c for c in content["cases"] if c["id"] in BY_CONFIGURATION])
def test_what_kapp_orders_by_configuration_is_ordered_by_stage(case: fixtures.Case) -> None:
    found = documents(case)
    by_title = {title(document, case["op"]): place for place, document in enumerate(found)}
    asked = dependencies(found, case["op"])
    checked = 0
    for waiting, needed in edges(case["expected_graph"]):
        one, other = by_title[waiting], by_title[needed]
        if other not in asked[one]:
            assert stage_of(identity(found[one])) > stage_of(identity(found[other])), (waiting, needed)
            checked += 1
    assert checked


def identity(document: dict[str, Any]) -> Identity:
    group = document["apiVersion"].rpartition("/")[0]
    metadata = document["metadata"]
    return Identity(group, document["kind"], metadata.get("namespace", ""), metadata["name"])


def test_a_rule_that_cannot_be_read_is_named() -> None:
    job = {"kind": "Job", "metadata": {"name": "x", "annotations": {"kapp.k14s.io/change-rule.a": "after b"}}}
    with pytest.raises(InputError) as caught:
        change_rules(job)
    assert str(caught.value) == (
        "Job x: annotation kapp.k14s.io/change-rule.a is 'after b'; write it like 'upsert after upserting GROUP'"
    )


def test_an_object_does_not_wait_for_itself() -> None:
    annotations = {"kapp.k14s.io/change-group": "a/b", "kapp.k14s.io/change-rule": "upsert after upserting a/b"}
    assert dependencies([{"kind": "Job", "metadata": {"name": "x", "annotations": annotations}}], "upsert") == {0: []}
