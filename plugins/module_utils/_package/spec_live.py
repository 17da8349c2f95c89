# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The options of the faces that look at, or change, what is in the cluster already."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .._errors import InputError
from .._kube.health.expectation import Expectation
from .._kube.kinds import resource_named
from .._kube.options import cluster_for, real_clock, surroundings_now
from .._kube.query import Query
from .._kube.resources import Catalogue
from .customise.patches import read_patch
from .live_object import Change, Patcher
from .survey import Survey

OBJECT: Mapping[str, Any] = {
    "kind": {"type": "str", "required": True},
    "api_version": {"type": "str"},
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "default"},
    "merge": {"type": "dict"},
    "lists": {"type": "str", "choices": ["merge", "replace"], "default": "merge"},
    "json": {"type": "list", "elements": "dict"},
    "set": {"type": "dict"},
    "manager": {"type": "str", "default": "hearth-patch"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "healthy": {"type": "str"},
    "progress_file": {"type": "path"},
}

INFO: Mapping[str, Any] = {
    "name": {"type": "list", "elements": "str", "default": []},
    "exact": {"type": "bool", "default": False},
}

_WAYS = ("merge", "json", "set")


def change_of(params: Mapping[str, Any], catalogue: Catalogue) -> Change:
    """What the options ask for, checked; nothing has been asked of the object yet."""
    resource = resource_named(catalogue, params["kind"], params["api_version"] or "")
    given = {way: params[way] for way in _WAYS if params[way]}
    if not given:
        raise InputError(f"{params['kind']} {params['name']}: the patch is empty; say what shall change")
    healthy = params["healthy"]
    return Change(
        resource,
        params["namespace"] if resource.namespaced else "",
        params["name"],
        read_patch({**given, "target": {"kind": re.escape(resource.kind)}}, "object_patch"),
        replace_lists=params["lists"] == "replace",
        manager=params["manager"],
        seconds=float(params["wait_timeout"]) if params["wait"] else 0.0,
        expectations=(Expectation(Query(healthy, "healthy")),) if healthy else (),
    )


def patcher_for(params: Mapping[str, Any], *, check: bool, report: Callable[[str], None]) -> Patcher:
    cluster = cluster_for(params)
    return Patcher(cluster, real_clock(), lambda: surroundings_now(cluster), report, check)


def survey_for(params: Mapping[str, Any]) -> Survey:
    cluster = cluster_for(params)
    return Survey(cluster, surroundings_now(cluster), params["exact"])
