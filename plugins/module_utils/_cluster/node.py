# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a Node object says about a machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from .._kube.change.live import Live
from .._kube.fields import conditions, field, mapping, sequence, text
from .._kube.manifest import Identity

# Who sets a field is on record at the server: by that a cordon of a drain is told from one that a person asked for.
DRAIN_MANAGER = "hearth-drain"
NODE_MANAGER = "hearth-node"

# A node has this label while a playbook has taken it out of service. _k3s, which does not know us, has the word too.
OUT_OF_SERVICE = "hearth.cluster/out-of-service"
# Its value once the node is back, as long as what was stopped for it is waited for.
RETURNED = "returned"

# On a node while it is drained: a word that no other run has. A run that was killed may have left its drain at work.
DRAIN = "hearth.cluster/drain"
# Beside it, and as long as the node stays closed without them: the workloads that were healthy before their pods were
# moved. A run that follows one which did not come to its end waits for them.
AWAITED = "hearth.cluster/drain-awaits"
# What a drain that is over leaves of itself.
NO_DRAIN = {DRAIN: None, AWAITED: None}

CORDON_TAINT = "node.kubernetes.io/unschedulable"

_ROLE = "node-role.kubernetes.io/"
_ETCD_NAME = "etcd.k3s.cattle.io/node-name"
_ETCD_ADDRESS = "etcd.k3s.cattle.io/node-address"


@dataclass(frozen=True)
class EtcdMember:
    """A node's part in the embedded etcd, as k3s notes it. `voter` is None before the leader has said anything."""

    name: str
    address: str
    voter: bool | None
    message: str


def name_of(live: Live) -> str:
    return text(live, "metadata", "name")


def is_cordoned(node: Live) -> bool:
    return field(node, "spec", "unschedulable") is True


def is_cordoned_by_drain(node: Live) -> bool:
    """Whether the cordon is one that a drain of this collection has set, and nobody else has asked for since."""
    owners = {
        text(entry, "manager")
        for entry in sequence(node, "metadata", "managedFields")
        if "f:unschedulable" in mapping(entry, "fieldsV1", "f:spec")
    }
    return is_cordoned(node) and owners == {DRAIN_MANAGER}


def word_of_drain(node: Live) -> str:
    return text(node, "metadata", "annotations", DRAIN)


def awaited_by_drain(node: Live) -> list[Identity]:
    """The workloads that a drain which has not ended waits for, or would."""
    try:
        return [Identity(*each) for each in json.loads(text(node, "metadata", "annotations", AWAITED) or "[]")]
    except (ValueError, TypeError):
        return []  # somebody has edited it


def note_of_awaited(workloads: Iterable[Identity]) -> str:
    """The value of the annotation that `awaited_by_drain` reads."""
    return json.dumps([astuple(each) for each in workloads])


def is_ready(node: Live) -> bool:
    return text(conditions(node), "Ready", "status") == "True"


def addresses_of(node: Live) -> list[str]:
    return [text(each, "address") for each in sequence(node, "status", "addresses")]


def roles_of(node: Live) -> list[str]:
    labels = mapping(node, "metadata", "labels")
    return sorted(label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE))


def taints_of(node: Live) -> list[dict[str, str]]:
    found = sequence(node, "spec", "taints")
    return [{part: text(taint, part) for part in ("key", "value", "effect")} for taint in found]


def words_of_taint(taint: Mapping[str, Any]) -> str:
    """A taint as kubectl writes it."""
    value = text(taint, "value")
    return f"{text(taint, 'key')}{f'={value}' if value else ''}:{text(taint, 'effect')}"


def etcd_member_of(node: Live) -> EtcdMember | None:
    """The node's member of the embedded etcd, None where it has none."""
    notes = mapping(node, "metadata", "annotations")
    name = text(notes, _ETCD_NAME)
    if not name:
        return None
    said = conditions(node).get("EtcdIsVoter")
    voter = text(said, "status") == "True" if said else None
    return EtcdMember(name, text(notes, _ETCD_ADDRESS), voter, text(said, "message"))
