# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines as the probes would show them, for tables of decisions."""

from __future__ import annotations

from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import ClusterNode, Machine

ONE_CLUSTER = "a" * 64
ANOTHER_CLUSTER = "b" * 64


def blank(name: str, **differences: Any) -> Machine:
    """A machine on which k3s has never been."""
    number = int(name[-1])
    usual = {
        "role": "server",
        "address": f"10.0.0.{number}",
        "node_name": name,
        "addresses": (f"10.0.0.{number}",),
    }
    return Machine(name=name, **{**usual, **differences})


def member(name: str, **differences: Any) -> Machine:
    """A live server of a cluster with embedded etcd."""
    usual = {
        "installed_roles": ("server",),
        "live": True,
        "running": True,
        "datastore": "etcd",
        "cluster": ONE_CLUSTER,
        "node_password": True,
        "token_file": True,
        "configured_init": name == "pi1",
        "configured_server": "" if name == "pi1" else "https://10.0.0.1:6443",
    }
    return blank(name, **{**usual, **differences})


def asleep(name: str, **differences: Any) -> Machine:
    """A server that has the cluster's data and does not run."""
    return member(name, **{"live": False, "running": False, **differences})


def agent(name: str, **differences: Any) -> Machine:
    usual = {
        "role": "agent",
        "installed_roles": ("agent",),
        "running": True,
        "cluster": ONE_CLUSTER,
        "node_password": True,
        "token_file": True,
        "token_cluster": ONE_CLUSTER,
        "configured_server": "https://10.0.0.1:6443",
    }
    return blank(name, **{**usual, **differences})


def node(name: str, *, ready: bool = True, voter: bool | None = True) -> ClusterNode:
    return ClusterNode(name, ready, voter, f"10.0.0.{name[-1]}")
