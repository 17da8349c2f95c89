# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A server as the cluster's API shows it, in the form of a look at the machine itself.

Machines that only need to be known about are spared the look.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from .kubeconfig import digest_of
from .node_summary import summary

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_ETCD = "node-role.kubernetes.io/etcd"

# What Go calls an architecture -> what ``uname -m`` calls it.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}


def cluster_of(authority: str) -> str:
    """The SHA-256 by which tokens name a cluster, from its CA; empty for a chain, of which tokens carry another one."""
    alone = authority.count("BEGIN CERTIFICATE") == 1
    return hashlib.sha256(authority.encode()).hexdigest() if alone else ""


def record_of(
    host: Mapping[str, Any],
    nodes: Sequence[dict[str, Any]],
    *,
    authority: str,
    certificate: str,
    token_matches: bool | None = None,
) -> dict[str, Any] | None:
    """The record of one live server among the Node objects; nothing where none of them is surely this host.

    ``authority`` and ``certificate`` are those of the kubeconfig with which the server let us in; ``token_matches``
    is what the server said to the token of the inventory, if it was asked.
    """
    node = next((one for one in nodes if _is_of(host, one)), None)
    if node is None or _CONTROL_PLANE not in node["metadata"].get("labels", {}):
        return None
    return {
        "name": host["name"],
        "role": "server",
        "address": host["address"],
        "node_name": node["metadata"]["name"],
        "problems": [],
        "probe": {
            "host": _host(node),
            "k3s": {
                **_k3s(node, nodes, cluster_of(authority)),
                "kubeconfig_digest": _digest(authority, certificate),
                "token_matches": token_matches,
            },
        },
    }


def _is_of(host: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    return node["metadata"]["name"] == host["node_name"] or host["address"] in _addresses(node)


def _addresses(node: Mapping[str, Any]) -> list[str]:
    listed = node.get("status", {}).get("addresses", [])
    return [one["address"] for one in listed if one["type"] != "Hostname"]


def _host(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node that runs has an architecture that k3s is built for, and a kernel that accounts for memory."""
    about = node.get("status", {}).get("nodeInfo", {})
    architecture = about.get("architecture", "")
    return {
        "hostname": node["metadata"]["name"],
        "machine_id": about.get("machineID", ""),
        "boot_id": about.get("bootID", ""),
        "architecture": _MACHINES.get(architecture, architecture),
        "memory_cgroup": "v2",
        "addresses": _addresses(node),
        "time": {"offset": None},
    }


def _k3s(node: Mapping[str, Any], nodes: Sequence[dict[str, Any]], cluster: str) -> dict[str, Any]:
    return {
        "role": "server",
        "installed_roles": ["server"],
        "service": {"active": "active", "enabled": True},
        "config": {"server": "", "cluster_init": False},
        "datastore": "etcd" if _ETCD in node["metadata"]["labels"] else "",
        "cluster": cluster,
        "node_password": True,
        "token_file": {"present": True, "cluster": cluster},
        "token_changes": False,
        "restore": {},
        "api": {"ready": True, "nodes": [summary(one) for one in nodes]},
    }


def _digest(authority: str, certificate: str) -> str:
    encoded = (base64.b64encode(value.encode()).decode() for value in (authority, certificate))
    return digest_of(*encoded)
