# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from copy import deepcopy
from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.merge import merge
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st


def applied(content: Any) -> list[fixtures.Case]:
    """Leave out create_three_way and split_nulls: they compute a patch, which server-side apply makes needless."""
    return [case for case in content["cases"] if case["op"] == "apply"]


@fixtures.each("json_merge_patch_cases.yaml", applied)
def test_published_cases(case: fixtures.Case) -> None:
    assert merge(case["original"], case["patch"]) == case["expected"]


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.sampled_from("abc")
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner), max_leaves=10)


@given(JSON, JSON)
def test_a_second_time_changes_nothing_more(document: Any, patch: Any) -> None:
    once = merge(document, patch)
    assert merge(once, patch) == once


@given(JSON, JSON)
def test_the_arguments_stay_as_they_are(document: Any, patch: Any) -> None:
    before = deepcopy((document, patch))
    merge(document, patch)
    assert (document, patch) == before


@given(st.dictionaries(KEYS, JSON))
def test_an_empty_patch_changes_nothing(document: Any) -> None:
    assert merge(document, {}) == document
