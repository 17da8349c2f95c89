# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as role k3s notes it, whole enough for every filter."""

from __future__ import annotations

from typing import Any


def server(name: str, **k3s: Any) -> dict[str, Any]:
    """One that lives, with a cluster of its own unless told otherwise."""
    host = {
        "machine_id": f"machine-{name}",
        "boot_id": f"boot-{name}",
        "architecture": "aarch64",
        "memory_cgroup": "v2",
        "addresses": [],
        "time": {"offset": 0.0},
    }
    usual = {
        "role": "server",
        "installed_roles": ["server"],
        "service": {"active": "active", "enabled": True},
        "config": {"server": "", "cluster_init": False},
        "datastore": "etcd",
        "cluster": name,
        "node_password": True,
        "token_file": {"present": True, "cluster": name},
        "token_matches": None,
        "token_changes": False,
        "restore": {},
        "api": {"ready": True, "nodes": []},
    }
    probe = {"host": host, "k3s": {**usual, **k3s}}
    return {"name": name, "role": "server", "address": name, "node_name": name, "problems": [], "probe": probe}
