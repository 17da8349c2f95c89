# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether all machines of a cluster are well: nothing is done to one while another ails."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]


def ailments(records: Sequence[Record], names: Sequence[str]) -> dict[str, str]:
    """What is wrong, by machine; by node for those that the run does not reach. All `names` should have answered."""
    nodes = nodes_of(records)
    found = {name: "does not answer" for name in names if name not in {record["name"] for record in records}}
    found |= {record["name"]: wrong for record in records if (wrong := _wrong_with(record, nodes))}
    ours = {record["node_name"] for record in records} | set(found)
    strangers = {name: _wrong_with_node(node) for name, node in nodes.items() if name not in ours}
    return found | {name: wrong for name, wrong in strangers.items() if wrong}


def ailing_servers(records: Sequence[Record]) -> dict[str, str]:
    """The ailments that speak against the restart of a server, while which the others must be able to go on.

    Agents that answer may ail: no server needs them, and they are mended when their turn comes.
    """
    agents = {record["name"] for record in records if record["role"] == "agent"}
    ailing = ailments(records, [record["name"] for record in records])
    return {name: wrong for name, wrong in ailing.items() if name not in agents}


def nodes_of(records: Sequence[Record]) -> dict[str, Mapping[str, Any]]:
    """All nodes by name, as the first server lists them whose API answers."""
    lists = (record["probe"]["k3s"]["api"]["nodes"] for record in records)
    return {node["name"]: node for node in next(filter(None, lists), [])}


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Who keeps new pods away from a node; a playbook also where it has not waited for what it had stopped there."""

    by_playbook: bool = False
    by_somebody: bool = False


def out_of_service(record: Record, records: Sequence[Record]) -> OutOfService:
    node = nodes_of(records).get(record["node_name"])
    if node is None:
        return OutOfService()
    is_out = node["out_of_service"] and not node["is_back"]
    return OutOfService(node["out_of_service"], not node["schedulable"] and not is_out)


def health_problems(ailing: Mapping[str, str], unfinished: Collection[str]) -> list[str]:
    """One sentence for each ailing machine. One alone that an earlier run left half-way may ail: it comes first."""
    if set(ailing) <= set(unfinished) and len(ailing) <= 1:
        return []
    return [
        f"{name} {wrong}: mend it first, or remove it for good (hearth.cluster.remove_node); while one machine ails, "
        "nothing is done to another"
        for name, wrong in ailing.items()
    ]


def _wrong_with(record: Record, nodes: Mapping[str, Mapping[str, Any]]) -> str:
    return next(_faults(record, nodes), "")


def _faults(record: Record, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    k3s = record["probe"]["k3s"]
    if not k3s["role"]:
        yield "is no node of the cluster yet (hearth.cluster.site makes it one)"
    if k3s["service"]["active"] != "active":
        yield f"runs no k3s (its service is {k3s['service']['active']})"
    if k3s["role"] == "server" and not k3s["api"]["ready"]:
        yield "has an API server that is not ready"
    node = nodes.get(record["node_name"])
    if node is None and nodes:
        yield f"has no node {record['node_name']} in the cluster"
    elif node is not None and (wrong := _wrong_with_node(node)):
        yield wrong


def _wrong_with_node(node: Mapping[str, Any]) -> str:
    if not node["ready"]:
        return f"is not Ready ({node['ready_message']})"
    if node["etcd_voter"] is False:
        return f"is not a voting member of etcd ({node['etcd_message'] or 'not reported'})"
    return ""
