# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch import json_patch as json_patch_file
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.json_patch import json_patch
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st


def enabled(content: Any) -> list[fixtures.Case]:
    """Leave out what the suite itself disables: 4 of its 112 cases."""
    return [{"id": one.get("comment", ""), **one} for one in content if "doc" in one and not one.get("disabled")]


def run(case: fixtures.Case) -> None:
    if "error" in case:
        with pytest.raises(InputError):
            json_patch(case["doc"], case["patch"])
        return
    assert json_patch(case["doc"], case["patch"]) == case["expected"]


@fixtures.each("jsonpatch/tests.json", enabled)
def test_published_cases(case: fixtures.Case) -> None:
    run(case)


@fixtures.each("jsonpatch/spec_tests.json", enabled)
def test_examples_of_the_standard(case: fixtures.Case) -> None:
    run(case)


WEB = {"metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "a"}]}}}}
CONTAINERS = "/spec/template/spec/containers"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            {"op": "replace", "path": "/spec/templat/spec", "value": 1},
            "operation 1 of the JSON patch (replace /spec/templat/spec): "
            "/spec has no field 'templat', did you mean template?",
        ),
        (
            {"op": "replace", "path": f"{CONTAINERS}/3/image", "value": 1},
            f"operation 1 of the JSON patch (replace {CONTAINERS}/3/image): "
            f"{CONTAINERS} has 1 items, counted from 0, so there is no 3",
        ),
        (
            {"op": "add", "path": f"{CONTAINERS}/web", "value": 1},
            f"operation 1 of the JSON patch (add {CONTAINERS}/web): "
            f"{CONTAINERS} is a list, so 'web' must be a number or -",
        ),
        (
            {"op": "add", "path": "/metadata/labels/app", "value": "web"},
            "operation 1 of the JSON patch (add /metadata/labels/app): /metadata has no field 'labels', there is name",
        ),
        (
            {"op": "move", "from": "/spec/nothing", "path": "/spec/else"},
            "operation 1 of the JSON patch (move /spec/nothing): /spec has no field 'nothing', there is template",
        ),
        (
            {"op": "remove", "path": f"{CONTAINERS}/0/name/x"},
            f"operation 1 of the JSON patch (remove {CONTAINERS}/0/name/x): "
            f"{CONTAINERS}/0/name is no mapping or list, so it has no 'x'",
        ),
        (
            {"op": "copy", "from": f"{CONTAINERS}/0", "path": f"{CONTAINERS}/7"},
            f"operation 1 of the JSON patch (copy {CONTAINERS}/7): "
            f"{CONTAINERS} has 1 items, counted from 0, so there is no 7",
        ),
        (
            {"op": "remove", "path": "/metadata/name/first"},
            "operation 1 of the JSON patch (remove /metadata/name/first): "
            "/metadata/name is no mapping or list, so it has no 'first'",
        ),
        (
            {"op": "replace", "path": "spec", "value": 1},
            "operation 1 of the JSON patch (replace): path 'spec' must begin with /",
        ),
        ({"op": "add", "path": "/a"}, "operation 1 of the JSON patch (add) lacks 'value'"),
        (
            {"op": "change", "path": "/a"},
            "operation 1 of the JSON patch: op is 'change', must be one of add, remove, replace, move, copy, test",
        ),
        ("remove", "operation 1 of the JSON patch must be a mapping with op, path and value"),
    ],
)
def test_errors_name_the_place(operation: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        json_patch(WEB, [operation])
    assert str(caught.value) == message


def test_a_failed_test_does_not_tell_the_value() -> None:
    with pytest.raises(InputError) as caught:
        json_patch({"data": {"password": "hunter2"}}, [{"op": "test", "path": "/data/password", "value": "hunter3"}])
    assert str(caught.value) == "operation 1 of the JSON patch (test /data/password): the value there is another one"


def test_the_failing_operation_is_counted() -> None:
    good, bad = {"op": "add", "path": "/metadata/labels", "value": {}}, {"op": "remove", "path": "/metadata/label"}
    with pytest.raises(InputError, match=r"operation 2 .* did you mean labels\?"):
        json_patch(WEB, [good, bad])


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_patch_file, "jsonpatch", None)
    with pytest.raises(InputError, match="pip install jsonpatch"):
        json_patch({}, [])


KEYS = st.sampled_from(["a", "b", "0", "-"])
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "-", "01", "~0", "~"]), max_size=3).map(
    lambda p: "".join(f"/{x}" for x in p)
)
OPERATIONS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": PATHS,
        "from": PATHS,
        "value": JSON,
    }
)


@given(JSON, st.lists(OPERATIONS, max_size=3))
def test_any_patch_works_or_is_the_operators_error_and_the_argument_stays(document: Any, operations: list[Any]) -> None:
    before = deepcopy(document)
    try:
        json_patch(document, operations)
    except InputError as error:
        assert "operation" in str(error)
    assert document == before
