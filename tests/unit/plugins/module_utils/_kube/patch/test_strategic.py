# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import with_text_keys
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.shapes import PLAIN, Shape, shape_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.strategic import strategic_merge
from ansible_collections.hearth.cluster.tests.unit import fixtures

# What the cases expect where kubectl and kustomize differ, or what data alone cannot say.
NOT_OURS = {
    "apimachinery/custom/002": "a deleted mapping: kubectl leaves {} behind, kustomize nothing; we follow kustomize",
    "apimachinery/raw/apply-three-way/019": "the place of a new element depends on memory reused for a deleted one",
    "apimachinery/raw/apply-three-way/020": "as 019: without the deletion the same patch puts the new elements first",
    "kustomize/merge2-element/013": "merge keys guessed from field names, without any schema",
    "kustomize/merge2-element/015": "a schema in a YAML comment",
    "kustomize/merge2-element/017": "a schema in a YAML comment",
    "kustomize/patchstrategicmerge-filter/002": "tells an empty YAML value from a null (as in merge2-scalar/010)",
}

# Operations that compute a patch or merge three versions; server-side apply makes both needless here.
OTHER_OPERATIONS = {"create_two_way", "create_three_way", "merge3"}


def invented(schemas: dict[str, Any]) -> dict[str, Shape]:
    """Build the shapes of the invented types of the suite, which refer to themselves."""
    fields: dict[str, dict[str, Shape]] = {name: {} for name in schemas}
    shapes = {name: Shape(of=lambda member, name=name: fields[name].get(member, PLAIN)) for name in schemas}
    for name, members in schemas.items():
        for member, meta in members.items():
            strategies = (meta["strategy"] or "").split(",")
            merges = "merge" in strategies
            key = meta["mergeKey"] if merges else None
            inner = shapes.get(meta["items"], PLAIN)
            fields[name][member] = Shape(
                (key,) if key else (), is_set=merges and not key, replaced="replace" in strategies, of=inner.of
            )
    return shapes


def sorted_lists(value: Any, shape: Shape) -> Any:
    """Sort the lists that merge, as the suite does before it compares."""
    if isinstance(value, dict):
        return {name: sorted_lists(item, shape.of(name)) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    inner = [sorted_lists(item, Shape(of=shape.of)) if shape.keys else item for item in value]
    if shape.keys:
        return sorted(inner, key=lambda item: str(item.get(shape.keys[0], "")))
    return sorted(inner) if shape.is_set else inner


def of_op(*names: str) -> Any:
    return lambda content: [case for case in content["cases"] if case["op"] in names and case["id"] not in NOT_OURS]


def own_shape(case: fixtures.Case) -> Shape:
    return invented(fixtures.load("smp_cases.yaml")["schemas"])[case["schema"]]


@fixtures.each("smp_cases.yaml", of_op("apply"))
def test_cases_of_the_api_server(case: fixtures.Case) -> None:
    shape = own_shape(case)
    if "error" in case:
        with pytest.raises(InputError):
            strategic_merge(case["original"], case["patch"], shape)
        return
    merged: Any = strategic_merge(case["original"], case["patch"], shape)
    if "raw" not in case["id"].split("/")[1]:
        merged = sorted_lists(merged, shape)
    assert merged == case["expected"]


@fixtures.each("smp_cases.yaml", of_op("merge2"))
def test_cases_of_kustomize(case: fixtures.Case) -> None:
    original, patch, expected = (
        with_text_keys(yaml.safe_load(case[name])) for name in ("original_yaml", "patch_yaml", "expected_yaml")
    )
    assert strategic_merge(original, patch, shape_of(original), append=case["list_increase"] == "append") == expected


@fixtures.each("smp_cases.yaml", of_op("sort_merge_lists"))
def test_the_sorting_of_this_test_is_that_of_the_suite(case: fixtures.Case) -> None:
    assert sorted_lists(case["original"], own_shape(case)) == case["expected"]


def test_no_case_is_left_out_unnoticed() -> None:
    content = fixtures.load("smp_cases.yaml")
    if content is None:
        pytest.skip("smp_cases.yaml is not there")
    run = {case["id"] for op in ("apply", "merge2", "sort_merge_lists") for case in of_op(op)(content)}
    left_out = {case["id"] for case in content["cases"] if case["op"] in OTHER_OPERATIONS}
    assert {case["id"] for case in content["cases"]} == run | left_out | set(NOT_OURS)
    assert not run & set(NOT_OURS)
