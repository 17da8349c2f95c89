# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a strategic merge must know about the fields of a kind.

Built-in kinds have a table (merge_keys.py). Custom kinds say it in the openAPIV3Schema of their definition, which is
read field by field as the patch walks, so that a definition of a megabyte costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..fields import group_of, mapping, sequence, text
from .merge_keys import KEY_DEFAULTS, KINDS, TYPES, Field


def _no_fields(_name: str) -> Shape:
    return PLAIN


@dataclass(frozen=True)
class Shape:
    """How the value of one field merges.

    keys: a list of mappings is matched element by element by these fields; without them it is replaced.
    defaults: what the API server takes for a key that an element leaves out.
    is_set: a list of single values is united.
    replaced: a mapping is replaced and not merged.
    of: the shape of a field, in the mapping itself or in each element of the list.
    """

    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    is_set: bool = False
    replaced: bool = False
    of: Callable[[str], Shape] = _no_fields


PLAIN = Shape()

Definitions = Mapping[tuple[str, str], Mapping[str, Any]]


def shape_of(document: Mapping[str, Any], definitions: Definitions | None = None) -> Shape:
    """Return the shape of an object's kind; definitions are the known CustomResourceDefinitions by group and kind."""
    group, kind = group_of(document), text(document, "kind")
    if (group, kind) in KINDS:
        return _of_type(KINDS[group, kind])
    definition = (definitions or {}).get((group, kind))
    version = text(document, "apiVersion").rpartition("/")[2]
    schema = _schema_of(definition, version) if definition is not None else {}
    return _of_object(schema)


def _of_type(name: str) -> Shape:
    fields = TYPES.get(name, {})
    return Shape(of=lambda member: _of_field(fields[member]) if member in fields else PLAIN)


def _of_field(known: Field) -> Shape:
    return Shape(known.keys, KEY_DEFAULTS, known.is_set, known.replaced, _of_type(known.type_name).of)


def _schema_of(definition: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    for served in sequence(definition, "spec", "versions"):
        if text(served, "name") == version:
            return mapping(served, "schema", "openAPIV3Schema")
    return {}


def _of_object(schema: Mapping[str, Any]) -> Shape:
    """Return the shape of a whole custom object: its metadata is that of every object, whatever the schema says."""
    inner = _of_schema(schema)
    return Shape(of=lambda member: _of_type("ObjectMeta") if member == "metadata" else inner.of(member))


def _of_schema(schema: Mapping[str, Any]) -> Shape:
    list_type = text(schema, "x-kubernetes-list-type")
    if list_type == "map":
        items = mapping(schema, "items")
        keys = tuple(str(key) for key in sequence(schema, "x-kubernetes-list-map-keys"))
        return Shape(keys, _defaults(items, keys), of=lambda member: _of_member(items, member))
    if list_type == "set":
        return Shape(is_set=True)
    return Shape(of=lambda member: _of_member(schema, member))


def _defaults(items: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    described = {key: mapping(items, "properties", key) for key in keys}
    return {key: schema["default"] for key, schema in described.items() if "default" in schema}


def _of_member(schema: Mapping[str, Any], member: str) -> Shape:
    properties = mapping(schema, "properties")
    return _of_schema(mapping(properties, member) if member in properties else mapping(schema, "additionalProperties"))
