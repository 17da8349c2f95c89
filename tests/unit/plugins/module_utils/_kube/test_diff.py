# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.diff import Difference, difference
from hypothesis import given
from hypothesis import strategies as st

NOISE = {
    "managedFields": [{}],
    "resourceVersion": "7",
    "generation": 3,
    "uid": "u",
    "creationTimestamp": "t",
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
}


def test_noise_is_no_difference() -> None:
    quiet = {"kind": "ConfigMap", "metadata": {"name": "x"}}
    noisy = {"kind": "ConfigMap", "metadata": {"name": "x", **NOISE}, "status": {"a": 1}}
    assert difference(quiet, noisy) == Difference()
    assert not difference(quiet, noisy)


@pytest.mark.parametrize(
    ("before", "after", "old", "new", "paths"),
    [
        pytest.param(
            {"spec": {"replicas": 1, "paused": False}},
            {"spec": {"replicas": 2, "paused": False}},
            {"spec": {"replicas": 1}},
            {"spec": {"replicas": 2}},
            ("spec.replicas",),
            id="only the changed field",
        ),
        pytest.param(
            {"c": [{"name": "a", "image": "a:1", "x": 1}, {"name": "b"}]},
            {"c": [{"name": "a", "image": "a:2", "x": 1}, {"name": "b"}]},
            {"c": [{"name": "a", "image": "a:1"}]},
            {"c": [{"name": "a", "image": "a:2"}]},
            ("c[name=a].image",),
            id="an element keeps its name",
        ),
        pytest.param(
            {"ports": [{"port": 53, "protocol": "UDP"}]},
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": []},
            {"ports": [{"port": 53, "protocol": "TCP"}]},
            ("ports[port=53,protocol=TCP]",),
            id="an added port",
        ),
        pytest.param({"a": [1, 2]}, {"a": [2]}, {"a": [1, 2]}, {"a": [2]}, ("a",), id="other lists are whole"),
        pytest.param(
            {"a": [{"name": "x"}, {"name": "y"}]},
            {"a": [{"name": "y"}, {"name": "x"}]},
            {"a": [{"name": "x"}, {"name": "y"}]},
            {"a": [{"name": "y"}, {"name": "x"}]},
            ("a",),
            id="another order",
        ),
        pytest.param({"a": 1}, {"b": 1}, {"a": 1}, {"b": 1}, ("a", "b"), id="gone and new"),
        pytest.param(
            {"metadata": {"annotations": {"a.b/c": "1"}}},
            {"metadata": {"annotations": {"a.b/c": "2"}}},
            {"metadata": {"annotations": {"a.b/c": "1"}}},
            {"metadata": {"annotations": {"a.b/c": "2"}}},
            ('metadata.annotations["a.b/c"]',),
            id="a name with dots is quoted",
        ),
        pytest.param({"a": True}, {"a": 1}, {"a": True}, {"a": 1}, ("a",), id="true is not one"),
        pytest.param({"a": {"b": 1}}, {"a": "x"}, {"a": {"b": 1}}, {"a": "x"}, ("a",), id="another type"),
    ],
)
def test_what_is_shown(before: Any, after: Any, old: Any, new: Any, paths: tuple[str, ...]) -> None:
    assert difference(before, after) == Difference(old, new, paths)


def test_a_new_object_is_shown_whole_and_an_old_one_too() -> None:
    config = {"kind": "ConfigMap", "data": {"a": "b"}}
    assert difference(None, config) == Difference({}, config, ("kind", "data"))
    assert difference(config, None) == Difference(config, {}, ("kind", "data"))


def test_a_secret_shows_that_it_changes_and_no_value() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Secret", "data": {"a": value, "b": "c3RheXM="}}

    shown = difference(secret("b25l"), secret("dHdv"))
    assert shown == Difference({"data": {"a": "(hidden, before)"}}, {"data": {"a": "(hidden, after)"}}, ("data.a",))


JSON = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from("xy"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "port", "a", "b"]), inner),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON)


@given(OBJECTS)
def test_an_object_does_not_differ_from_itself(one: Any) -> None:
    assert not difference(one, deepcopy(one))


@given(OBJECTS, OBJECTS)
def test_nothing_that_differs_is_missed(one: Any, other: Any) -> None:
    assert bool(difference(one, other)) is (one != other)


@given(OBJECTS, OBJECTS)
def test_both_directions_name_the_same_fields(one: Any, other: Any) -> None:
    assert sorted(difference(one, other).paths) == sorted(difference(other, one).paths)
