# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.merge_keys import KINDS, TYPES, Field
from ansible_collections.hearth.cluster.tests.unit import fixtures

# Below a list that is replaced as a whole, or in an alpha kind that only a controller writes.
UNUSED_TYPES = {"JSONSchemaProps", "PodGroupTemplate"}


@pytest.fixture(name="published")
def published_schema() -> Any:
    content = fixtures.load("smp_schema/builtin_patch_meta.yaml")
    if content is None:
        pytest.skip("builtin_patch_meta.yaml is not there")
    return content


def is_special(known: Field) -> bool:
    return bool(known.keys or known.is_set or known.replaced)


def test_the_merge_keys_are_those_of_the_published_schema(published: Any) -> None:
    expected: dict[str, dict[str, tuple[Any, ...]]] = {}
    for long_name, fields in published["fields"].items():
        name = long_name.rpartition(".")[2]
        for field, meta in fields.items():
            strategies = (meta.get("strategy") or "").split(",")
            if name.endswith("Status") or name in UNUSED_TYPES or not {"merge", "replace"} & set(strategies):
                continue
            keys = tuple(meta.get("listMapKeys") or ([meta["mergeKey"]] if "mergeKey" in meta else []))
            expected.setdefault(name, {})[field] = (keys, "merge" in strategies and not keys, "replace" in strategies)
    ours = {
        name: {
            field: (known.keys, known.is_set, known.replaced) for field, known in fields.items() if is_special(known)
        }
        for name, fields in TYPES.items()
    }
    assert {name: fields for name, fields in ours.items() if fields} == expected


def test_the_types_of_fields_are_those_of_the_published_schema(published: Any) -> None:
    references: dict[str, dict[str, str]] = {}
    for long_name, fields in published["refs"].items():
        named = {field: type_name.rpartition(".")[2] for field, type_name in fields.items()}
        references.setdefault(long_name.rpartition(".")[2], {}).update(named)
    for name, fields in TYPES.items():
        ours = {field: known.type_name for field, known in fields.items() if known.type_name}
        theirs = {field: type_name for field, type_name in references.get(name, {}).items() if type_name in TYPES}
        assert ours == theirs, name


def test_every_kind_and_every_type_named_is_described() -> None:
    named = {known.type_name for fields in TYPES.values() for known in fields.values() if known.type_name}
    assert named | set(KINDS.values()) == set(TYPES)
