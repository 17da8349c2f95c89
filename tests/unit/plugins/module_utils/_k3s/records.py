# SPDX-License-Identifier: GPL-3.0-or-later
"""What role k3s notes about each machine, as far as decisions about versions and upgrades go."""

from __future__ import annotations

from typing import Any

OLD, NEW = "v1.35.4+k3s1", "v1.36.3+k3s1"
SHA = {OLD: "old", NEW: "new"}
GIB = 2**30


def node(name: str, version: str = OLD, **differences: Any) -> dict[str, Any]:
    """A Node object as a server lists it."""
    usual = {
        "name": name,
        "ready": True,
        "ready_message": "kubelet is posting ready status",
        "etcd_voter": True,
        "etcd_message": "",
        "heartbeat": 2010.0,
        "version": version,
        "schedulable": True,
        "out_of_service": False,
        "is_back": False,
    }
    return {**usual, **differences}


def record(name: str, runs: str = OLD, *, role: str = "server", nodes: Any = (), **k3s: Any) -> dict[str, Any]:
    """A machine whose k3s runs well."""
    place = {"path": "/", "device": 1, "free": 20 * GIB}
    usual = {
        "role": role,
        "service": {"active": "active", "enabled": True, "started_at": 2000.0},
        "running_version": runs,
        "binary": {"sha256": SHA.get(runs, runs), "modified_at": 1000.0, "version": ""},
        "cluster": "c",
        "datastore": "etcd" if role == "server" else "",
        "api": {"ready": role == "server", "nodes": list(nodes) if role == "server" else []},
        "room": {"binary": place, "data": place},
    }
    probe = {"host": {"architecture": "aarch64"}, "k3s": {**usual, **k3s}}
    return {"name": name, "role": role, "node_name": name, "probe": probe}


def three_servers(*versions: str) -> list[dict[str, Any]]:
    """pi1, pi2 and pi3, each with the version that it runs."""
    named = list(zip(("pi1", "pi2", "pi3"), versions or (OLD, OLD, OLD), strict=True))
    nodes = [node(name, version) for name, version in named]
    return [record(name, version, nodes=nodes) for name, version in named]


def with_node(records: list[dict[str, Any]], of: str, **differences: Any) -> list[dict[str, Any]]:
    """The same machines, with a node that differs."""
    for each in records:
        nodes = each["probe"]["k3s"]["api"]["nodes"]
        nodes[:] = [{**one, **differences} if one["name"] == of else one for one in nodes]
    return records
