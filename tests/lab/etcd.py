# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an etcd cluster on loopback, and who of them leads."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Member:
    """One member, by the addresses it listens on."""

    name: str
    client: str
    peer: str


class Etcd:
    """A cluster of as many members as there are pairs of ports."""

    def __init__(self, directory: Path, ports: Sequence[tuple[int, int]]) -> None:
        self._directory = directory
        self.members = tuple(
            Member(f"etcd-{number}", f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}")
            for number, (client, peer) in enumerate(ports, start=1)
        )

    @property
    def servers(self) -> str:
        """As an API server wants to be told."""
        return ",".join(member.client for member in self.members)

    def flags(self, member: Member) -> list[str]:
        return [
            f"--name={member.name}",
            f"--data-dir={self._directory / member.name}",
            f"--listen-client-urls={member.client}",
            f"--advertise-client-urls={member.client}",
            f"--listen-peer-urls={member.peer}",
            f"--initial-advertise-peer-urls={member.peer}",
            f"--initial-cluster={','.join(f'{each.name}={each.peer}' for each in self.members)}",
            "--unsafe-no-fsync",  # the data need not survive a power cut, and tests must not wait for a disk
            "--log-level=warn",
        ]

    def leader(self) -> Member | None:
        """None while they elect one, and when the one that they followed is gone."""
        led_by = {self._ask(member, "status").get("leader") for member in self.members}
        return next((member for member in self.members if led_by == {self._identity(member)}), None)

    def move_leader(self) -> Member | None:
        """Let the next member lead; returns which one that is, None where there was no leader to ask."""
        leader = self.leader()
        if leader is None:
            return None
        after = self.members[(self.members.index(leader) + 1) % len(self.members)]
        self._ask(leader, "transfer-leadership", {"targetID": self._identity(after)})
        return after

    def _identity(self, member: Member) -> str:
        return str(self._ask(member, "status")["header"]["member_id"])

    def _ask(self, member: Member, what: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        """By the JSON that etcd serves beside gRPC."""
        request = urllib.request.Request(f"{member.client}/v3/maintenance/{what}", json.dumps(body or {}).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            content: dict[str, Any] = json.load(answer)
        return content
