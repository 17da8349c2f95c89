# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What matters of a Node object to the decisions about k3s."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .machines import OUT_OF_SERVICE, RETURNED


def summary(node: dict[str, Any]) -> dict[str, Any]:
    """Reduce a Node object to what the roles decide from."""
    status, labels = node.get("status", {}), node["metadata"].get("labels", {})
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    addresses = {one["type"]: one["address"] for one in reversed(status.get("addresses", []))}
    voter = conditions.get("EtcdIsVoter")
    ready = conditions.get("Ready", {})
    return {
        "name": node["metadata"]["name"],
        "ready": ready.get("status") == "True",
        "ready_message": ready.get("message", "the kubelet has not reported yet"),
        "etcd_voter": None if voter is None else voter["status"] == "True",
        "etcd_message": "" if voter is None else voter.get("message", ""),
        "heartbeat": _seconds(ready.get("lastHeartbeatTime")),
        "address": addresses.get("InternalIP", ""),
        "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
        "schedulable": not node.get("spec", {}).get("unschedulable", False),
        "out_of_service": OUT_OF_SERVICE in labels,
        "is_back": labels.get(OUT_OF_SERVICE) == RETURNED,
    }


def _seconds(timestamp: str | None) -> float:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0
