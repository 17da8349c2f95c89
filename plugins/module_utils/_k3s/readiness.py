# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. When a node counts as being back in the cluster, and when waiting for it is in vain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .diagnosis import Cause, diagnose, mask
from .wellbeing import Record, nodes_of

HOPELESS_AFTER = 15.0  # seconds for which an incurable cause must have been seen; one line may be a passing one
ERROR_LINES = 8
LAST_LINES = 4
_ERROR = re.compile(r"level=(error|fatal|panic)|\b(ERRO|FATA)\b|^[EF]\d{4} |Main process exited|panic:")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for."""

    node_name: str
    voter: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What one look at the machine showed."""

    active: str
    sub: str
    started_at: float | None
    queued: bool
    api_ready: bool | None  # None where that shows in nothing but the Node object: on an agent
    node: Mapping[str, Any] | None


def missing(goal: Goal, sight: Sight) -> str:
    """Say what the node still lacks; nothing once it is ready."""
    if sight.queued and sight.active == "inactive":
        return "the start waits for other units, such as the network and the time (systemctl list-jobs)"
    if sight.active != "active":
        return f"the service is {sight.active} ({sight.sub})"
    if sight.api_ready is False:
        return "the API server does not answer"
    if sight.node is None:
        lacking = f"there is no Node object {goal.node_name}"
        return lacking if sight.api_ready else f"{lacking}, or the API server does not answer"
    return _node_lacks(goal, sight.node, sight.started_at or 0.0)


def _node_lacks(goal: Goal, node: Mapping[str, Any], started_at: float) -> str:
    if not node["ready"]:
        return f"the node is not Ready: {node['ready_message']}"
    # A Node stays Ready for a while after its kubelet stopped; what counts is what the kubelet of now has said.
    if node["heartbeat"] < started_at - 2:
        return "the kubelet has not reported since the start"
    if goal.voter and not node["etcd_voter"]:
        return f"the server is not a voting member of etcd yet: {node['etcd_message'] or 'not reported'}"
    return ""


def is_back(record: Record, records: Sequence[Record]) -> bool:
    """Whether the look at all machines has shown the node of this one as it is waited for after a start of k3s."""
    k3s = record["probe"]["k3s"]
    node = _nodes_around(record, records).get(record["node_name"])
    is_server = record["role"] == "server"
    if node is None or (is_server and not k3s["api"]["ready"]):
        return False
    goal = Goal(record["node_name"], voter=is_server and k3s["datastore"] == "etcd")
    return not _node_lacks(goal, node, k3s["service"]["started_at"] or 0.0)


def is_gone(record: Record, records: Sequence[Record]) -> bool:
    """Whether the servers list nodes, and the one of this machine is not among them."""
    nodes = _nodes_around(record, records)
    return bool(nodes) and record["node_name"] not in nodes


def _nodes_around(record: Record, records: Sequence[Record]) -> Mapping[str, Mapping[str, Any]]:
    return nodes_of([record, *records])  # each machine was looked at on its own: a server knows best about itself


class Patience:
    """Decides when to stop watching before the time is up."""

    def __init__(self) -> None:
        self._cause = ""
        self._since = 0.0

    def is_exhausted(self, now: float, sight: Sight, recent_lines: Sequence[str]) -> bool:
        """Tell whether the same incurable cause has been there for too long."""
        if sight.active in ("failed", "inactive") and not sight.queued:
            return True
        cause = diagnose(recent_lines) if sight.active != "active" else None
        if cause is None or cause.heals:
            self._cause = ""
            return False
        if cause.name != self._cause:
            self._cause, self._since = cause.name, now
        return now - self._since >= HOPELESS_AFTER


def complaint(unit: str, lacking: str, waited: float, lines: Sequence[str]) -> tuple[str, Cause | None]:
    """Write the error: what is missing, why as far as known, what to do, and the last lines of the journal."""
    cause = diagnose(lines)
    parts = [f"{unit} did not become ready in {waited:.0f} s: {lacking}"]
    if cause is not None:
        parts.append(cause.sentence)
    tail = [mask(line) for line in telling(lines)]
    parts.append(
        "The journal ends with:\n" + "\n".join(f"  {line}" for line in tail) if tail else "The journal is empty"
    )
    return ".\n".join(parts), cause


def telling(lines: Sequence[str]) -> list[str]:
    """Choose the last lines and, before them, the last errors; k3s' components chat a lot before they give up."""
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line)][-ERROR_LINES:]
    last = range(max(0, len(lines) - LAST_LINES), len(lines))
    return [lines[number] for number in sorted({*errors, *last})]
