# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..module_utils._cluster.arrival import plan_arrival
from ..module_utils._cluster.departure import Words, other_node, plan_departure
from ..module_utils._kube.near_miss import did_you_mean

Objects = Sequence[Mapping[str, Any]]


def node_departure(nodes: Objects, name: str, *, volumes: Objects = (), **words: bool | None) -> dict[str, Any]:
    """What a node is in the cluster, and what speaks against its going."""
    return _plain(plan_departure(name, nodes, volumes, Words(**words)))


def node_arrival(nodes: Objects, name: str, *, machine: Mapping[str, Any], joins_etcd: bool = False) -> dict[str, Any]:
    """What a machine would be in the cluster, and what speaks against that."""
    return _plain(plan_arrival(name, machine, nodes, joins_etcd=joins_etcd))


def _plain(plan: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items()}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "did_you_mean": did_you_mean,
            "node_arrival": node_arrival,
            "node_departure": node_departure,
            "other_node": other_node,
        }
