# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The options of the faces about nodes and the cluster, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._errors import InputError
from .._kube.options import cluster_for, real_clock, surroundings_now
from .change import Taint, Wish
from .drain import Policy
from .drainer import Order
from .keeper import NodeKeeper, Task
from .mover import Mover
from .survey import Survey

_WITHOUT_WISHES = ("absent", "restored")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

NODE: Mapping[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {
        "type": "str",
        "choices": ["present", "drained", "returned", "restored", "absent"],
        "default": "present",
    },
    "cordoned": {"type": "bool"},
    "labels": {"type": "dict", "default": {}},
    "taints": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "key": {"type": "str", "required": True, "no_log": False},
            "value": {"type": "str", "default": ""},
            "effect": {"type": "str", "choices": list(_EFFECTS)},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        "required_if": [("state", "present", ("effect",))],
    },
    "daemon_sets": {"type": "str", "choices": ["leave", "refuse"], "default": "leave"},
    "finished_pods": {"type": "str", "choices": ["leave", "evict", "refuse"], "default": "leave"},
    "unmanaged_pods": {"type": "str", "choices": ["refuse", "evict", "leave"], "default": "refuse"},
    "empty_dirs": {"type": "str", "choices": ["evict", "refuse", "leave"], "default": "evict"},
    "immovable_pods": {"type": "str", "choices": ["refuse", "evict", "leave"], "default": "refuse"},
    "forbidding_budgets": {"type": "str", "choices": ["refuse", "delete", "leave"], "default": "refuse"},
    "moving_claims": {"type": "list", "elements": "str", "default": []},
    "grace_period": {"type": "int"},
    "drain_timeout": {"type": "int", "default": 300},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "delete_undrained": {"type": "bool", "default": False},
    "remember": {"type": "bool", "default": False},
    "rebalance": {"type": "bool", "default": False},
    "progress_file": {"type": "path"},
}

CLUSTER_INFO: Mapping[str, Any] = {"deprecated_apis": {"type": "bool", "default": True}}

VOLUMES: Mapping[str, Any] = {
    "node": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["planned", "moved", "cleaned"], "default": "planned"},
    "to": {"type": "str", "default": ""},
    "measured": {"type": "dict", "default": {}},
    "health_before": {"type": "dict", "default": {}},
    "wait_timeout": {"type": "int", "default": 300},
    "progress_file": {"type": "path"},
}

_POLICY = tuple(Policy.__dataclass_fields__)


def keeper_for(params: Mapping[str, Any], *, check: bool, report: Callable[[str], None]) -> NodeKeeper:
    cluster = cluster_for(params)
    return NodeKeeper(cluster, real_clock(), lambda: surroundings_now(cluster), report, check)


def mover_for(params: Mapping[str, Any], report: Callable[[str], None]) -> Mover:
    cluster = cluster_for(params)
    return Mover(cluster, real_clock(), lambda: surroundings_now(cluster), report)


def survey_for(params: Mapping[str, Any]) -> Survey:
    cluster = cluster_for(params)
    return Survey(cluster, lambda: surroundings_now(cluster))


def task_of(params: Mapping[str, Any]) -> Task:
    """What the options ask for, checked; nothing has been asked of the cluster yet."""
    if params["cordoned"] is not None and params["state"] != "present":
        raise InputError(f"cordoned says nothing beside state: {params['state']}; leave it out")
    if params["state"] in _WITHOUT_WISHES and (params["labels"] or params["taints"]):
        raise InputError(f"labels and taints say nothing beside state: {params['state']}; leave them out")
    if params["remember"] and params["state"] != "absent":
        raise InputError(f"remember says nothing beside state: {params['state']}; leave it out")
    if params["rebalance"] and params["state"] != "returned":
        raise InputError(f"rebalance says nothing beside state: {params['state']}; leave it out")
    order = Order(
        Policy(**{name: params[name] for name in _POLICY}),
        seconds=float(params["drain_timeout"]),
        wait_seconds=float(params["wait_timeout"]) if params["wait"] else 0.0,
        grace_period=params["grace_period"],
    )
    wish = Wish(params["cordoned"], _labels(params["labels"]), _taints(params["taints"]))
    return Task(
        params["name"],
        params["state"],
        wish,
        order,
        params["delete_undrained"],
        params["remember"],
        rebalance=params["rebalance"],
    )


def _labels(given: Mapping[str, Any]) -> dict[str, str | None]:
    return {str(key): None if value is None else _text(value) for key, value in given.items()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _taints(given: Sequence[Mapping[str, Any]]) -> tuple[Taint, ...]:
    return tuple(
        Taint(each["key"], each["effect"] or "", each["value"], wanted=each["state"] == "present") for each in given
    )
