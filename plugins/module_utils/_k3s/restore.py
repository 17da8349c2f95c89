# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a backup fits the inventory, and what a restore overwrites and leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .machines import Machine, listed, servers_among

_NUMBERS = re.compile(r"^v(\d+)\.(\d+)\.(\d+)\S*?\+k3s(\d+)$")
_NOT_THE_OPERATORS = re.compile(
    r"^(beta\.)?kubernetes\.io/|^node\.kubernetes\.io/|^node-role\.kubernetes\.io/(control-plane|etcd|master)$"
    r"|^egress\.k3s\.io/|^p2p\.k3s\.cattle\.io/"
)


def backup_problems(
    manifest: Mapping[str, Any], *, cluster_name: str, version: str, servers: Sequence[str], external: bool = False
) -> list[str]:
    """Say why this backup cannot become the cluster that the inventory describes."""
    problems = []
    if manifest["cluster_name"] != cluster_name:
        problems.append(
            f"the backup is of cluster {manifest['cluster_name']}, and the inventory describes {cluster_name} "
            "(k3s_cluster_name): name the backup or the inventory that is meant"
        )
    if _older(version, manifest["k3s_version"]):
        problems.append(
            f"the backup was made by k3s {manifest['k3s_version']}, and k3s_version is {version}, which is older and "
            "cannot be trusted to read it: set k3s_version to that of the backup or a newer one"
        )
    if external:
        problems.append(
            "k3s_datastore_endpoint names a database elsewhere, and the backup has the data of the servers' own: "
            "take k3s_datastore_endpoint out of the inventory"
        )
    if manifest["datastore"] == "sqlite" and len(servers) > 1:
        problems.append(
            f"the backup is of one server with SQLite, and the inventory has {len(servers)}: restore it with "
            f"{servers[0]} alone in k3s_server, and add {listed(servers[1:])} afterwards"
        )
    return problems


def _older(version: str, than: str) -> bool:
    mine, theirs = _NUMBERS.match(version), _NUMBERS.match(than)
    if mine is None or theirs is None:
        return False
    return [int(number) for number in mine.groups()] < [int(number) for number in theirs.groups()]


def restore_obstacles(
    machines: Sequence[Machine],
    servers: Sequence[str],
    manifest: Mapping[str, Any],
    *,
    word: str = "",
    begun: Iterable[str] = (),
) -> list[str]:
    """Say what must not be overwritten without an explicit word, and who has to answer first.

    begun: the servers on which an earlier run has begun to restore this very backup; what is there is its work.
    """
    known = servers_among(machines, servers)
    silent = [name for name in servers if name not in {machine.name for machine in known}]
    if silent:
        return [
            f"{listed(silent)} did not answer, and a server that comes back with the old data would be a second "
            "cluster: bring it back, or take it out of the inventory if it is gone for good"
        ]
    holders = [machine for machine in known if (machine.live or machine.holds_data) and machine.name not in begun]
    wanted = manifest["cluster_name"]
    if not holders or word == wanted:
        return []
    if word:
        return [f"overwrite is {word}, and the cluster is called {wanted}: nothing was changed"]
    return [
        f"{_described(holders)}. All that was done in it since the backup of {manifest['name']} would be lost: "
        f"say so with -e overwrite={wanted}"
    ]


def _described(holders: Sequence[Machine]) -> str:
    live = [machine.name for machine in holders if machine.live]
    asleep = [machine.name for machine in holders if not machine.live]
    parts = [f"a cluster is alive on {listed(live)}"] if live else []
    if asleep:
        parts.append(f"the data of a cluster that does not run lie on {listed(asleep)}")
    return " and ".join(parts)


def stale_nodes(first: Machine, machines: Sequence[Machine]) -> list[str]:
    """Name the nodes that the restored cluster remembers and that have to join anew, or are no more.

    Every server but the first begins without data. An agent of the inventory may run on all the while.
    """
    settled = {first.node_name} | {
        machine.node_name for machine in machines if machine.role == "agent" or machine.holds_data or machine.live
    }
    return [node.name for node in first.nodes if node.name not in settled]


def node_marks(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the operator has set on a node of the backup: labels, taints, and whether it was cordoned."""
    taints = [taint for taint in node["taints"] if not taint["key"].startswith("node.kubernetes.io/")]
    return {
        "labels": {key: value for key, value in node["labels"].items() if not _NOT_THE_OPERATORS.search(key)},
        "taints": [{key: taint[key] for key in ("key", "value", "effect") if key in taint} for taint in taints],
        "cordoned": node["cordoned"],
    }
