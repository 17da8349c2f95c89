# SPDX-License-Identifier: GPL-3.0-or-later
"""Patching and comparing the objects of packages as their upstreams publish them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.diff import difference
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import group_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.shapes import Definitions, shape_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.strategic import strategic_merge
from ansible_collections.hearth.cluster.plugins.module_utils._kube.redact import redact
from ansible_collections.hearth.cluster.plugins.module_utils._kube.yaml import read_documents
from ansible_collections.hearth.cluster.tests.unit import fixtures

Objects = dict[tuple[str, ...], dict[str, Any]]

LONGHORN = "longhorn/{}/longhorn.yaml"
CLOUDNATIVE = "cloudnative-pg/{0}/cnpg-{0}.yaml"
METALLB = "metallb/{}/config/manifests/metallb-native.yaml"

# Package, old and new version, and how many objects differ between them.
UPDATES = [
    (LONGHORN, "v1.12.0", "v1.12.1", 41),
    (CLOUDNATIVE, "1.29.2", "1.30.0", 5),
    (METALLB, "v0.16.0", "v0.16.1", 3),
]


@cache
def objects(path: str) -> Objects:
    file = fixtures.FOLDER / "packages" / path
    if not file.is_file():
        pytest.skip(f"{path} is not there")
    return {key(document): document for document in expanded(file.read_text(encoding="utf-8"), path)}


def expanded(content: str, path: str) -> Iterator[dict[str, Any]]:
    for document in read_documents(content, path):
        if document.content:
            yield dict(document.content)


def key(document: dict[str, Any]) -> tuple[str, ...]:
    metadata = document["metadata"]
    return group_of(document), document["kind"], metadata.get("namespace", ""), metadata["name"]


@pytest.mark.parametrize(("path", "old", "new", "changed"), UPDATES)
def test_the_objects_that_differ_are_found(path: str, old: str, new: str, changed: int) -> None:
    before, after = objects(path.format(old)), objects(path.format(new))
    differing = [name for name in before if name in after and difference(before[name], after[name])]
    assert len(differing) == changed


@pytest.mark.parametrize(("path", "old"), [(path, old) for path, old, _new, _changed in UPDATES])
def test_an_object_merged_into_itself_stays_as_it_is(path: str, old: str) -> None:
    known = objects(path.format(old))
    definitions: Definitions = {
        (document["spec"]["group"], document["spec"]["names"]["kind"]): document
        for document in known.values()
        if document["kind"] == "CustomResourceDefinition"
    }
    for document in known.values():
        assert strategic_merge(document, without_nulls(document), shape_of(document, definitions)) == document


def without_nulls(value: Any) -> Any:
    """Return an object as a patch of itself: generators leave nulls in manifests, which would remove in a patch."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("path", "old"), [(path, old) for path, old, _new, _changed in UPDATES])
def test_what_is_no_secret_is_shown(path: str, old: str) -> None:
    for document in objects(path.format(old)).values():
        shown = redact(document)
        if document["kind"] not in ("Secret", "Deployment", "DaemonSet"):
            assert shown == document
