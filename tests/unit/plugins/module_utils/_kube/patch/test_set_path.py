# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.set_path import set_path
from hypothesis import given
from hypothesis import strategies as st

DEPLOYMENT: dict[str, Any] = {
    "spec": {
        "replicas": 1,
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        "containers": [{"name": "web", "image": "web:1", "args": ["a", "b"]}, {"name": "log", "image": "log:1"}],
    },
    "data": {"app.yaml": "x"},
}


def part(document: Any, *path: Any) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize(
    ("path", "value", "where", "expected"),
    [
        ("spec.replicas", 3, ("spec", "replicas"), 3),
        ("spec.template.labels.app", "web", ("spec", "template"), {"labels": {"app": "web"}}),
        ('data["app.yaml"]', "y", ("data",), {"app.yaml": "y"}),
        ("metadata.annotations['a.b/c']", "d", ("metadata",), {"annotations": {"a.b/c": "d"}}),
        ("spec.containers[1].image", "log:2", ("spec", "containers", 1, "image"), "log:2"),
        ("spec.containers.1.image", "log:2", ("spec", "containers", 1, "image"), "log:2"),
        ("spec.containers[-1].image", "log:2", ("spec", "containers", 1, "image"), "log:2"),
        ("spec.containers[name=web].image", "web:2", ("spec", "containers", 0, "image"), "web:2"),
        (
            "spec.ports[port=53, protocol=TCP].nodePort",
            1,
            ("spec", "ports", 1),
            {"port": 53, "protocol": "TCP", "nodePort": 1},
        ),
        ("spec.containers[name=web].args[+]", "c", ("spec", "containers", 0, "args"), ["a", "b", "c"]),
        ("spec.tolerations[+].key", "pi", ("spec", "tolerations"), [{"key": "pi"}]),
        ("spec.containers[*].image", "x", ("spec", "containers", 1, "image"), "x"),
        ("spec.replicas", None, ("spec",), {k: v for k, v in DEPLOYMENT["spec"].items() if k != "replicas"}),
        ("spec.containers[name=log]", None, ("spec", "containers"), DEPLOYMENT["spec"]["containers"][:1]),
        ("spec.containers[name=web].args[0]", None, ("spec", "containers", 0, "args"), ["b"]),
        ("spec.nothing.there", None, ("spec",), DEPLOYMENT["spec"]),
        ("data", {"a": "b"}, ("data",), {"a": "b"}),
    ],
)
def test_what_is_set(path: str, value: Any, where: tuple[Any, ...], expected: Any) -> None:
    before = deepcopy(DEPLOYMENT)
    assert part(set_path(DEPLOYMENT, path, value), *where) == expected
    assert before == DEPLOYMENT


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("spec.containers[name=wbe].image", "spec.containers has no element with name=wbe, did you mean web?"),
        ("spec.containers[5].image", "spec.containers has 2 elements, counted from 0, so there is no 5"),
        (
            "spec.containers.image",
            "spec.containers is a list: name an element, "
            "spec.containers[0], spec.containers[name=...] or spec.containers[*]",
        ),
        ("spec.replicas.max", "spec.replicas is a single value, so it has no field 'max'"),
        ("spec.replicas[0]", "spec.replicas is no list, so it has no elements"),
        ("spec.volumes[0]", "spec.volumes is not there, so it has no elements"),
        ("", "path '' must begin with the name of a field"),
        ("[0].x", "path '[0].x' must begin with the name of a field"),
        (".spec", "path '.spec' cannot be read from '.spec' on"),
        ("spec..x", "path 'spec..x' cannot be read from '..x' on"),
        ("spec.", "path 'spec.' cannot be read from '.' on"),
        ("spec.containers[0]image", "path 'spec.containers[0]image': a dot is missing before 'image'"),
        ("spec.containers[name", "path 'spec.containers[name' cannot be read from '[name' on"),
    ],
)
def test_errors_name_the_place(path: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        set_path(DEPLOYMENT, path, 1)
    assert str(caught.value) == message


def test_an_error_does_not_tell_the_value() -> None:
    with pytest.raises(InputError) as caught:
        set_path({"data": {"password": "hunter2"}}, "data.password.x", "hunter3")
    assert "hunter" not in str(caught.value)


KEYS = st.sampled_from(["a", "b", "c.d", "e/f"])
PATHS = st.lists(KEYS, min_size=1, max_size=4)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.dictionaries(KEYS, st.just({})))), PATHS, st.integers())
def test_what_is_set_is_found_and_can_be_removed(document: Any, keys: list[str], value: int) -> None:
    path = keys[0].replace("c.d", "c") + "".join(f'["{key}"]' for key in keys[1:])
    changed = set_path(document, path, value)
    assert part(changed, keys[0].replace("c.d", "c"), *keys[1:]) == value
    again = set_path(changed, path, None)
    assert keys[-1] not in part(again, *[keys[0].replace("c.d", "c"), *keys[1:]][:-1]) or len(keys) == 1


@given(st.text(alphabet="ab.[]0*+=-'\"", max_size=10))
def test_any_path_is_read_or_refused(path: str) -> None:
    try:
        set_path(DEPLOYMENT, path, 1)
    except InputError as error:
        assert str(error)
