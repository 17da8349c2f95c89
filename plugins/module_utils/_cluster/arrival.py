# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a machine would be in a cluster that has, or has not, a node of its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kube.change.live import Live
from .node import addresses_of, etcd_member_of, is_ready, name_of, roles_of

_SERVER = "control-plane"


@dataclass(frozen=True)
class Arrival:
    """`member`: the machine is the node already. `stale`: the node is that of another machine, or of a former life."""

    member: bool = False
    stale: bool = False
    problems: tuple[str, ...] = ()


def plan_arrival(name: str, machine: Mapping[str, Any], nodes: Sequence[Live], *, joins_etcd: bool) -> Arrival:
    """Decide from the look at the machine (module k3s_info) and from the Node objects."""
    node = next((each for each in nodes if name_of(each) == name), None)
    member = node is not None and _has_a_life(machine["k3s"])
    problems = [*_other_machine(node, machine), *([] if member or not joins_etcd else _sqlite(name, nodes))]
    return Arrival(member, node is not None and not member, tuple(problems))


def _has_a_life(k3s: Mapping[str, Any]) -> bool:
    """Whether k3s on the machine has been part of a cluster. A card that was written anew knows nothing of that."""
    return bool(k3s["datastore"] or k3s["service"]["active"] == "active" or k3s["node_password"])


def _other_machine(node: Live | None, machine: Mapping[str, Any]) -> Iterator[str]:
    if node is None or not is_ready(node):
        return
    addresses = addresses_of(node)
    ours = machine["host"]["addresses"]
    if not set(addresses) & set(ours):
        yield (
            f"a node named {name_of(node)} is alive in the cluster at {next(iter(addresses), '')}, and this"
            f" machine is at {', '.join(ours)}: two machines have one name; give one of them another name"
        )


def _sqlite(name: str, nodes: Sequence[Live]) -> Iterator[str]:
    """A server that keeps its data in SQLite has to be moved to etcd before another one can join it."""
    servers = [each for each in nodes if _SERVER in roles_of(each)]
    if servers and not any(etcd_member_of(each) for each in servers):
        names = " and ".join(map(name_of, servers))
        yield (
            f"{names} keeps the cluster's data in SQLite, and {name} can join only once they are in etcd: run"
            " hearth.cluster.site, which restarts that server with etcd and lets the others join"
        )
