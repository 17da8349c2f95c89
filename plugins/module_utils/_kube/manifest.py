# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a person wants in the cluster, one object at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .._errors import InputError
from .fields import mapping
from .yaml import Document


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """What makes an object the same object; the version it is written in is not part of it."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Manifest:
    """One desired object. `create_only` objects are made when they are missing and never touched again."""

    content: Mapping[str, Any]
    origin: str = field(default="", compare=False)
    create_only: bool = False

    @cached_property
    def identity(self) -> Identity:
        metadata = self.content["metadata"]
        return Identity(self.group, self.kind, metadata.get("namespace") or "", metadata["name"])

    @property
    def api_version(self) -> str:
        version: str = self.content["apiVersion"]
        return version

    @property
    def group(self) -> str:
        group, slash, _version = self.api_version.partition("/")
        return group if slash else ""

    @property
    def kind(self) -> str:
        kind: str = self.content["kind"]
        return kind

    @cached_property
    def digest(self) -> str:
        return digest_of(self.content)

    def with_content(self, content: Mapping[str, Any]) -> Manifest:
        return replace(self, content=content)

    def with_metadata(self, **changes: Any) -> Manifest:
        return self.with_content({**self.content, "metadata": {**self.content["metadata"], **changes}})

    def __str__(self) -> str:
        return f"{self.identity} ({self.origin})" if self.origin else str(self.identity)


def digest_of(value: Any) -> str:
    """A digest that depends on the value alone, not on the order of keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def manifests_of(documents: Iterable[Document], origin: str) -> Iterator[Manifest]:
    """Turn documents into manifests: empty documents are dropped, List kinds are taken apart."""
    for document in documents:
        if document.content is None:
            continue
        place = f"{origin}:{document.line}"
        if not isinstance(document.content, Mapping):
            raise InputError(
                f"{place}: a Kubernetes object is a mapping, this document is a {_type_name(document.content)}"
            )
        if not document.content:
            continue
        for content in _items_of(document.content):
            yield manifest_of(content, place)


def _items_of(content: Mapping[str, Any]) -> Iterable[Any]:
    is_list = str(content.get("kind", "")).endswith("List") and isinstance(content.get("items"), list)
    if not is_list:
        return (content,)
    # Items of a ConfigMapList may leave out what the list already says.
    stated = {"apiVersion": content.get("apiVersion"), "kind": str(content["kind"])[: -len("List")]}
    own_kind = {} if content["kind"] == "List" else stated
    return ({**own_kind, **item} if isinstance(item, Mapping) else item for item in content["items"])


def manifest_of(content: Any, place: str) -> Manifest:
    """Check what every object must have, and drop what only the server may write."""
    if not isinstance(content, Mapping):
        raise InputError(f"{place}: a Kubernetes object is a mapping, this item is a {_type_name(content)}")
    _need(isinstance(content.get("apiVersion"), str), place, content, "apiVersion", "for example 'apiVersion: v1'")
    _need(isinstance(content.get("kind"), str), place, content, "kind", "for example 'kind: ConfigMap'")
    has_metadata = isinstance(content.get("metadata"), Mapping)
    _need(has_metadata, place, content, "metadata", "it holds at least the object's name")
    metadata = mapping(content, "metadata")
    if "generateName" in metadata and "name" not in metadata:
        raise InputError(
            f"{place}: {content['kind']} has metadata.generateName, which makes a new object on every run;"
            " give it a metadata.name"
        )
    _need(isinstance(metadata.get("name"), str), place, content, "metadata.name", "a string that names the object")
    kept = {key: value for key, value in content.items() if key not in ("status",)}
    kept["metadata"] = {
        key: value
        for key, value in metadata.items()
        if key not in _WRITTEN_BY_THE_SERVER and (value or key not in _FILLED_BY_OTHERS)
    }
    return Manifest(kept, place)


_WRITTEN_BY_THE_SERVER = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid", "deletionTimestamp"}
)

# Who applies one of these without anything in it owns the empty field, and loses it to the first who writes into it.
_FILLED_BY_OTHERS = frozenset({"annotations", "finalizers", "labels", "ownerReferences"})


def _need(present: bool, place: str, content: Mapping[str, Any], what: str, remedy: str) -> None:
    if not present:
        kind = content.get("kind")
        subject = f"this {kind}" if isinstance(kind, str) else "this object"
        raise InputError(f"{place}: {subject} has no {what}; add it: {remedy}")


def _type_name(value: Any) -> str:
    names = {str: "text", list: "list", int: "number", float: "number", bool: "boolean"}
    return names.get(type(value), type(value).__name__)


def refuse_twins(manifests: Iterable[Manifest]) -> None:
    """Two manifests of one object would overwrite each other for ever."""
    seen: dict[Identity, Manifest] = {}
    for manifest in manifests:
        twin = seen.setdefault(manifest.identity, manifest)
        if twin is not manifest:
            raise InputError(
                f"{manifest.identity} is written twice, in {twin.origin} and in {manifest.origin};"
                " remove one of the two"
            )
