# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import (
    Manifest,
    manifest_of,
    manifests_of,
    refuse_twins,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.yaml import read_documents, write_yaml
from hypothesis import given
from hypothesis import strategies as st


def read(text: str) -> Any:
    (document,) = read_documents(text, "a.yaml")
    return document.content


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=", "="),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("2001-01-01", "2001-01-01"),
        ("12:30", "12:30"),
        ("2026.07.2", "2026.07.2"),
        ("010", 8),
        ("-010", -8),
        ("0o17", 15),
        ("0644", 420),
        ("08", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("1_000", 1000),
        ("1e3", 1000),
        ("1.0", 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        ("1Gi", "1Gi"),
        ('"1"', "1"),
        ("-", None),
    ],
)
def test_scalars_are_read_as_go_reads_them(written: str, meant: Any) -> None:
    if written == "-":
        assert read("a:\n-") == {"a": [None]}
        return
    value = read(f"a: {written}")["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_text_as_in_json() -> None:
    assert read("{2: a, true: b, on: c}") == {"2": "a", "true": "b", "on": "c"}


def test_merge_keys_are_merged() -> None:
    assert read("a: &x {k: 1}\nb: {<<: *x, l: 2}")["b"] == {"k": 1, "l": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", r"a\.yaml:3: the key 'a' is written twice"),
        ("a:\n\tb: 1\n", r"a\.yaml:2: a tab is used to indent.*replace the tab by spaces"),
        ("a: [1\nb: 2\n", r"a\.yaml:2: this is not valid YAML"),
        ("a: !vault x\n", r"a\.yaml:1: .*'!vault'.*remove the tag"),
        ("a: .inf\n", r"a\.yaml:1: .*cannot be sent as JSON"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        list(read_documents(text, "a.yaml"))


def test_a_bomb_of_aliases_is_refused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(InputError, match="aliases of this document expand to more than"):
        list(read_documents("\n".join(levels), "a.yaml"))


def test_a_bomb_of_merges_is_refused() -> None:
    levels = ["a0: &a0 {a: 1, b: 2}"]
    levels += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    with pytest.raises(InputError, match=r"a\.yaml:1: the aliases of this document expand to more than"):
        list(read_documents("\n".join(levels), "a.yaml"))


def test_an_alias_inside_of_its_own_anchor_is_refused() -> None:
    with pytest.raises(InputError, match=r"a\.yaml:1: an alias .* inside of its own anchor"):
        list(read_documents("a: &x [*x]", "a.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        '{"a": ' * 100_000,
        "- " * 1000 + "x",
        "\n".join(" " * level + "a:" for level in range(1000)),
        "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000)), "a: 1"]),
    ],
    ids=["brackets", "json", "dashes", "indents", "aliases"],
)
def test_nesting_that_would_break_the_reader_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"a\.yaml:\d+: this document nests more than 500 levels"):
        list(read_documents(text, "a.yaml"))


def test_many_brackets_are_not_many_levels() -> None:
    text = "a: {" + ", ".join(f"k{number}: [x]" for number in range(2000)) + "}"
    assert len(read(text)["a"]) == 2000


def test_a_document_that_is_far_too_large_is_refused() -> None:
    with pytest.raises(InputError, match=r"65 MiB of YAML are more than"):
        list(read_documents("#" * (65 << 20), "a.yaml"))


def test_separators_may_have_something_behind_them_as_in_rendered_charts() -> None:
    assert [document.content for document in read_documents("---# one\na: 1\n---# two\na: 2\n", "x")] == [
        {"a": 1},
        {"a": 2},
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_reads_as_json(value: Any) -> None:
    assert read(json.dumps({"value": value})) == {"value": value}


def test_a_key_twice_is_refused_in_json_too() -> None:
    with pytest.raises(InputError, match=r"a\.yaml: the key 'b' is written twice"):
        read('{"a": {"b": 1, "b": 2}}')


def test_objects_are_shown_in_block_style_and_in_their_own_order() -> None:
    assert write_yaml({"kind": "A", "apiVersion": "v1", "data": {"on": ["x"]}}) == (
        "kind: A\napiVersion: v1\ndata:\n  'on':\n  - x\n"
    )


def manifests(text: str) -> list[Manifest]:
    return list(manifests_of(read_documents(text, "a.yaml"), "a.yaml"))


def test_lists_are_taken_apart_and_empty_documents_dropped() -> None:
    text = """---
# nothing
---
apiVersion: v1
kind: ConfigMapList
items:
- metadata: {name: a}
- metadata: {name: b}
---
apiVersion: v1
kind: List
items: [{apiVersion: v1, kind: Service, metadata: {name: c, namespace: d}}]
"""
    assert [str(manifest.identity) for manifest in manifests(text)] == ["ConfigMap a", "ConfigMap b", "Service d/c"]


def test_a_kind_that_only_ends_like_a_list_is_an_object() -> None:
    (manifest,) = manifests("{apiVersion: x/v1, kind: IPAllowList, metadata: {name: a}, spec: {items: 3}}")
    assert manifest.kind == "IPAllowList"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("apiVersion: v1\nmetadata: {name: a}\n", r"a\.yaml:1: this object has no kind; add it"),
        ("kind: Pod\nmetadata: {name: a}\n", r"a\.yaml:1: this Pod has no apiVersion"),
        ("apiVersion: v1\nkind: Pod\n", r"this Pod has no metadata;"),
        ("{apiVersion: v1, kind: Pod, metadata: {}}", r"this Pod has no metadata\.name"),
        ("{apiVersion: v1, kind: Pod, metadata: {generateName: a-}}", r"makes a new object on every run"),
        ("- a\n- b\n", r"a\.yaml:1: a Kubernetes object is a mapping, this document is a list"),
    ],
)
def test_an_object_without_what_every_object_has_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        manifests(text)


def test_what_only_the_server_writes_is_left_out() -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "uid": "u", "managedFields": []},
        "status": {},
    }
    assert manifest_of(content, "x").content == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}


def test_the_same_object_twice_is_refused_with_both_places() -> None:
    twins = manifests(
        "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: a}}"
    )
    with pytest.raises(InputError, match=r"Pod a is written twice, in a\.yaml:1 and in a\.yaml:3"):
        refuse_twins(twins)


@pytest.mark.parametrize("nothing", [{}, None])
def test_labels_and_annotations_without_anything_in_them_are_dropped(nothing: Any) -> None:
    metadata = {"name": "a", "annotations": nothing, "labels": nothing}
    assert manifest_of({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, "x").content["metadata"] == {
        "name": "a"
    }
