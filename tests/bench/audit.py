# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tool asked of the API server, by the server's own audit log: the same measure for every tool."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [watch]
- level: Metadata
"""

# What runs besides the measured tool.
_BACKGROUND = ("kube-controller-manager/", "kube-scheduler/", "kube-apiserver/", "kwok/")
# Our record, the releases before, and the lease of the run that is at work; Helm's releases.
_BOOKKEEPING = re.compile(
    r"/api/v1/namespaces/kube-system/secrets/hearth-"
    r"|/apis/coordination\.k8s\.io/v1/namespaces/kube-system/leases/hearth-"
    r"|/api/v1/namespaces/default/secrets(/sh\.helm\.release\.|$)"
)
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Asked:
    """``seconds``: how long at least one request was being answered.

    ``writes`` are those to objects of the package; ``bookkeeping`` those by which a tool remembers what it applied
    and keeps two runs apart. Dry runs and questions about rights write nothing.
    """

    requests: int
    writes: int
    bookkeeping: int
    seconds: float


class AuditLog:
    """The log of one server, read piece by piece."""

    def __init__(self, directory: Path) -> None:
        self._policy = directory / "audit-policy.yaml"
        self._policy.write_text(POLICY)
        self._log = directory / "audit.log"
        self._read = 0

    @property
    def flags(self) -> tuple[str, str]:
        return (f"--audit-policy-file={self._policy}", f"--audit-log-path={self._log}")

    def since(self) -> Asked:
        """What was asked since the last time of calling this."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            lines = log.readlines()
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()
        self._read += sum(map(len, lines))
        return _summary(filter(_is_of_a_tool, map(json.loads, lines)))


def _is_of_a_tool(event: Mapping[str, Any]) -> bool:
    return not str(event.get("userAgent", "")).startswith(_BACKGROUND)


def _summary(events: Iterable[Mapping[str, Any]]) -> Asked:
    events = list(events)
    writes = [_path(event) for event in events if event["verb"] in _WRITES and not _writes_nothing(event)]
    kept = sum(1 for path in writes if _BOOKKEEPING.match(path))
    return Asked(len(events), len(writes) - kept, kept, sum(end - start for start, end in _merged(map(_times, events))))


def _path(event: Mapping[str, Any]) -> str:
    return str(event["requestURI"]).partition("?")[0]


def _writes_nothing(event: Mapping[str, Any]) -> bool:
    return "dryRun=All" in event["requestURI"] or _path(event).endswith("reviews")


def _times(event: Mapping[str, Any]) -> tuple[float, float]:
    start, end = event["requestReceivedTimestamp"], event["stageTimestamp"]
    return datetime.fromisoformat(start).timestamp(), datetime.fromisoformat(end).timestamp()


def _merged(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Spans of time without their overlaps."""
    begin, until = None, 0.0
    for start, end in sorted(spans):
        if begin is None or start > until:
            if begin is not None:
                yield begin, until
            begin, until = start, end
        until = max(until, end)
    if begin is not None:
        yield begin, until
