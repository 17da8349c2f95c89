# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Read objects of a cluster, and answer a question about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import InputError
from .._kube.change.live import Live, identity_of
from .._kube.kinds import resource_named
from .._kube.parallel import in_parallel
from .._kube.port import Cluster
from .._kube.query import Query
from .._kube.resources import Collection, Resource
from .._kube.selector import parse_selector


@dataclass(frozen=True)
class Wanted:
    """Which objects are asked for, and what about them; what is empty does not matter."""

    kinds: tuple[str, ...]
    api_version: str | None = None
    namespace: str = ""
    name: str = ""
    label_selector: str = ""
    query: str = ""


def answer(cluster: Cluster, wanted: Wanted) -> list[Any]:
    """The objects, or what the query makes of them; always a list."""
    question = Query(wanted.query, "query") if wanted.query else None
    selector = str(parse_selector(wanted.label_selector))
    catalogue = cluster.catalogue()
    resources = [resource_named(catalogue, kind, wanted.api_version or "") for kind in wanted.kinds]
    found = in_parallel(lambda resource: _read(cluster, resource, wanted, selector), resources)
    objects = [_without_owners(live) for lives in found for live in sorted(lives, key=identity_of)]
    if question is None:
        return objects
    said = question.of(objects)
    return said if isinstance(said, list) else [] if said is None else [said]


def _read(cluster: Cluster, resource: Resource, wanted: Wanted, selector: str) -> Sequence[Live]:
    if not wanted.name:
        return cluster.list(Collection(resource, wanted.namespace), selector=selector)
    if resource.namespaced and not wanted.namespace:
        raise InputError(f"{resource.kind} {wanted.name}: name the namespace too, names are used again in others")
    live = cluster.get(resource, wanted.namespace, wanted.name)
    return [live] if live else []


def _without_owners(live: Live) -> dict[str, Any]:
    """An object without the notes of who set which field: most of its bytes, and of no use to a playbook."""
    return {**live, "metadata": {key: value for key, value in live["metadata"].items() if key != "managedFields"}}
