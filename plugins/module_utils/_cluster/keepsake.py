# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What an operator gave a node, kept in the cluster while its machine is replaced.

A Node object that goes takes its labels and taints with it. They are kept in a ConfigMap until the machine that takes
the name has them, so that a run which is cut short loses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kube.change.live import Live
from .._kube.fields import mapping, text
from .change import Taint, Wish
from .node import OUT_OF_SERVICE, is_cordoned, is_cordoned_by_drain, taints_of

NAMESPACE = "kube-system"
MANAGER = "hearth-keepsake"
_LABEL = "hearth.cluster/node"
_KEY = "node"

# Labels and taints that the kubelet, k3s, the controllers and playbooks give a node by themselves.
_OF_THE_SYSTEM = ("kubernetes.io/", "beta.kubernetes.io/", "node.kubernetes.io/", "k3s.cattle.io/", "k3s.io/")
_CLOUD_TAINT = "node.cloudprovider.kubernetes.io/"
_OF_SERVERS = frozenset(f"node-role.kubernetes.io/{role}" for role in ("control-plane", "etcd", "master"))
_OF_K3S = frozenset({"egress.k3s.io/cluster", "p2p.k3s.cattle.io/enabled"})
_OF_PLAYBOOKS = frozenset({OUT_OF_SERVICE})


@dataclass(frozen=True)
class Keepsake:
    """Labels, taints and whether a person has cordoned the node."""

    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    cordoned: bool = False

    def wish_for(self, node: Live) -> Wish:
        """What a node lacks of it; what the node has already comes from its machine and counts more."""
        there = mapping(node, "metadata", "labels")
        marks = {(taint["key"], taint["effect"]) for taint in taints_of(node)}
        return Wish(
            cordoned=True if self.cordoned else None,
            labels={key: value for key, value in self.labels.items() if key not in there},
            taints=tuple(
                Taint(taint["key"], taint["effect"], taint["value"])
                for taint in self.taints
                if (taint["key"], taint["effect"]) not in marks
            ),
        )

    def with_older(self, older: Keepsake) -> Keepsake:
        """Joined with one that was never given back: its machine was replaced again before that."""
        marks = {(taint["key"], taint["effect"]) for taint in self.taints}
        missing = tuple(taint for taint in older.taints if (taint["key"], taint["effect"]) not in marks)
        return Keepsake({**older.labels, **self.labels}, self.taints + missing, self.cordoned or older.cordoned)


def keepsake_of(node: Live) -> Keepsake:
    labels = mapping(node, "metadata", "labels")
    return Keepsake(
        {key: str(value) for key, value in labels.items() if not _comes_by_itself(key)},
        tuple(taint for taint in taints_of(node) if not _comes_by_itself(taint["key"])),
        is_cordoned(node) and not is_cordoned_by_drain(node),
    )


def _comes_by_itself(key: str) -> bool:
    return key in _OF_SERVERS | _OF_K3S | _OF_PLAYBOOKS or key.startswith((*_OF_THE_SYSTEM, _CLOUD_TAINT))


def name_of_keepsake(node: str) -> str:
    return f"hearth-node-{node}"


def written(node: str, keepsake: Keepsake) -> dict[str, Any]:
    """The ConfigMap."""
    content = {"labels": keepsake.labels, "taints": keepsake.taints, "cordoned": keepsake.cordoned}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name_of_keepsake(node), "namespace": NAMESPACE, "labels": {_LABEL: node}},
        "data": {_KEY: json.dumps(content, sort_keys=True)},
    }


def read(live: Live) -> Keepsake:
    content = json.loads(text(live, "data", _KEY) or "{}")
    return Keepsake(content.get("labels", {}), tuple(content.get("taints", ())), bool(content.get("cordoned")))
