# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How a cluster comes to another token without locking out one of its machines.

One server is told the new token, and encrypts with it what servers need at their start. From then on a server that
starts with the old one fails. So all machines get the new one at once, and are then restarted one after the other.

A run may end anywhere. That a server was told shows on its disk: k3s writes the token it was told, and the new one is
given to a machine for its next start only after that. What was begun is finished before anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .machines import Machine, listed
from .node_plan import service_need
from .readiness import is_back
from .wellbeing import ailing_servers, health_problems

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rotation:
    """What is to be done; all of it has been looked at with the new token to compare."""

    told: str = ""  # the server that is told; empty where one knows
    given: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    down: tuple[str, ...] = ()  # servers that do not run
    left: tuple[str, ...] = ()  # servers on which the change has been begun and not ended
    problems: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        return bool(self.told or self.given or self.restarted or self.left)

    def steps(self) -> list[str]:
        """Tell it in the order in which it is done."""
        told = [f"{self.told} is told the new token, and encrypts with it what servers need at their start"]
        given = [f"{listed(self.given)} {'get' if len(self.given) > 1 else 'gets'} it for the next start of k3s"]
        return [
            *(["what a run that was cut short has begun is brought to its end"] if self.left else []),
            *(told if self.told else []),
            *(given if self.given else []),
            *(f"k3s is restarted on {name}, and waited for" for name in self.restarted),
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**plain, "needed": self.needed, "steps": self.steps()}


def begun(records: Sequence[Record]) -> list[str]:
    """Return the servers that know of a change that has not ended."""
    return [record["name"] for record in records if record["probe"]["k3s"]["token_changes"]]


def plan_rotation(records: Sequence[Record], names: Sequence[str]) -> Rotation:
    """Decide from all machines that answered, and the names of all that should have.

    Servers come before agents, and servers that do not run before those that do: with one server down already, to
    restart another would take the majority away from etcd.
    """
    left = begun(records)
    ordered = sorted(records, key=_turn)
    problems = [*_unseen(records, names), *([] if left else health_problems(ailing_servers(records), ()))]
    known = _is_known(records)
    told = "" if known else _teller(ordered)
    if not (known or told or problems):
        problems = ["no server runs that could be told the new token: bring one up first"]
    return Rotation(
        told=told,
        given=tuple(record["name"] for record in ordered if not _has(record)),
        restarted=tuple(record["name"] for record in ordered if _must_restart(record, records)),
        down=tuple(record["name"] for record in ordered if record["role"] == "server" and not _runs(record)),
        left=tuple(left),
        problems=tuple(problems),
    )


def _turn(record: Record) -> tuple[bool, bool]:
    return record["role"] == "agent", _runs(record)


def _runs(record: Record) -> bool:
    return bool(record["probe"]["k3s"]["api"]["ready"])


def _has(record: Record) -> bool:
    return bool(record["probe"]["k3s"]["token_file"]["matches"])


def _is_known(records: Sequence[Record]) -> bool:
    """Whether the datastore takes the new token.

    It does once a server that was told has been given it, and where no server comes up any more with what it has.
    """
    servers = [record for record in records if record["role"] == "server"]
    knowing = [record for record in servers if record["probe"]["k3s"]["token_matches"]]
    return any(_has(record) for record in knowing) or bool(knowing and not any(_runs(record) for record in servers))


def _teller(servers: Sequence[Record]) -> str:
    """A live server that still knows another token rather than one at which an attempt may have gone wrong."""
    live = [record for record in servers if record["role"] == "server" and _runs(record)]
    live.sort(key=lambda record: bool(record["probe"]["k3s"]["token_matches"]))
    return live[0]["name"] if live else ""


def _must_restart(record: Record, records: Sequence[Record]) -> bool:
    """Also one that was restarted when the run was cut short, and whose node is not back since."""
    k3s, written = record["probe"]["k3s"], record["probe"]["k3s"]["token_file"]["modified_at"]
    was_waited_for = not begun(records) or is_back(record, records)
    return bool(service_need(k3s, changed=not _has(record), newest=written, is_back=was_waited_for))


def _unseen(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """Whoever is not there now would be left with the old token, and could not start with it."""
    seen = {record["name"] for record in records}
    silent = [name for name in names if name not in seen]
    blank = [record["name"] for record in records if not record["probe"]["k3s"]["role"]]
    known = {record["node_name"] for record in records}
    nodes = {node.name for record in records for node in Machine.from_record(record).nodes}
    return [
        *(
            f"{name} did not answer, or was left out with --limit, and would be left with the old token: bring it "
            "back, or take it out of the cluster and the inventory"
            for name in silent
        ),
        *(f"{name} is not a node yet: let it join first, with playbook hearth.cluster.site" for name in blank),
        *(
            f"the cluster has a node {name} that the inventory does not have, and it would be left with the old token: "
            "add it to the inventory, or remove it from the cluster"
            for name in sorted(nodes - known)
        ),
    ]
