# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. An upgrade of k3s as a value: its steps, their order, and what stands in its way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from .machines import listed
from .node_plan import service_need
from .skew import version_of
from .version import same_line
from .wellbeing import ailments, health_problems, nodes_of, out_of_service

Record = Mapping[str, Any]
Evacuate = Literal["minor", "always", "never"]

# What the space must suffice for, in sizes of the binary: it lies beside the old one and in Ansible's temporary
# directory, and unpacks itself into the data directory.
_BINARY_COPIES = 2
_UNPACKED = 4


@dataclass(frozen=True, slots=True)
class Binary:
    """The program of the release for one kind of machine."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asks for; with `minor` a node is evacuated if its minor version changes."""

    version: str
    binaries: Mapping[str, Binary]  # by architecture
    evacuate: Evacuate = "minor"
    snapshot: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """One machine."""

    name: str
    role: str
    running: str
    evacuates: bool
    returns: bool  # to service


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is to be done; nothing where all machines run the version."""

    version: str
    steps: tuple[Step, ...] = ()
    unfinished: tuple[str, ...] = ()  # an earlier run began with them; they come first
    snapshot_on: str = ""
    api_answers: bool = True  # no server does where the only one was left half-way
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates, with what is told before it begins."""
        steps = [asdict(step) for step in self.steps]
        lists = {name: list(getattr(self, name)) for name in ("unfinished", "problems", "remarks")}
        alone = {name: getattr(self, name) for name in ("version", "snapshot_on", "api_answers")}
        return {**alone, **lists, "steps": steps, "says": self.says()}

    def says(self) -> list[str]:
        if not self.steps:
            return [f"All machines run k3s {self.version}; there is nothing to do"]
        lines = [f"k3s {self.version} goes to {listed(step.name for step in self.steps)}, in this order"]
        if self.snapshot_on:
            lines.append(f"before that, {self.snapshot_on} saves a snapshot of etcd")
        return [*lines, *self.remarks, *(self._line(step) for step in self.steps)]

    def _line(self, step: Step) -> str:
        begun = ", which an earlier run began with," if step.name in self.unfinished else ""
        how = "evacuated first, and brought back" if step.evacuates else "restarted while its pods run on"
        return f"{step.name} ({step.role}){begun} from {step.running or 'what it has'}: {how}"


def plan_upgrade(records: Sequence[Record], names: Sequence[str], wishes: Wishes) -> Upgrade:
    """Decide from the probes of all machines; `names` are those of this run, which should have answered."""
    ailing = ailments(records, names)
    mine = [record for record in records if record["name"] in names]
    unfinished = [record["name"] for record in mine if _is_unfinished(record, records, ailing, wishes)]
    due = [record for record in mine if record["name"] in unfinished or not _is_done(record, wishes)]
    ordered = sorted(due, key=lambda record: (record["name"] not in unfinished, record["role"] != "server"))
    steps = tuple(_step(record, records, wishes, ails=record["name"] in ailing) for record in ordered)
    return Upgrade(
        version=wishes.version,
        steps=steps,
        unfinished=tuple(unfinished),
        snapshot_on=_snapshot_on(records, steps, wishes),
        api_answers=bool(nodes_of(records)),
        problems=(*health_problems(ailing, unfinished), *_room_problems(due, wishes)),
        remarks=tuple(_remarks(records)) if steps else (),
    )


def _step(record: Record, records: Sequence[Record], wishes: Wishes, *, ails: bool) -> Step:
    """A node that somebody else has cordoned is not evacuated, and stays out of service. From one that ails nothing
    can move; it is taken into service as well if nobody knows whether it is.
    """
    running, out = version_of(record, records), out_of_service(record, records)
    wanted = {"minor": not same_line(running, wishes.version), "always": True, "never": False}[wishes.evacuate]
    evacuates = wanted and not ails and not _is_done(record, wishes) and not out.by_somebody
    returns = evacuates or out.by_playbook or not nodes_of(records)
    return Step(record["name"], record["role"], running, evacuates, returns)


def _is_done(record: Record, wishes: Wishes) -> bool:
    """Whether the release's binary is there, and k3s was started since; as the role itself decides."""
    return _has_binary(record, wishes) and not service_need(record["probe"]["k3s"], changed=False, newest=None)


def _has_binary(record: Record, wishes: Wishes) -> bool:
    wanted = wishes.binaries[record["probe"]["host"]["architecture"]]
    return bool(record["probe"]["k3s"]["binary"]["sha256"] == wanted.sha256)


def _is_unfinished(record: Record, records: Sequence[Record], ailing: Mapping[str, str], wishes: Wishes) -> bool:
    """Whether an earlier run took the node out of service, or swapped the binary, and did not come to its end.

    An agent that was only taken out waits for its turn: its kubelet must not be newer than the servers.
    """
    taken_out = out_of_service(record, records).by_playbook
    if not _has_binary(record, wishes):
        return taken_out and record["role"] == "server"
    return taken_out or not _is_done(record, wishes) or record["name"] in ailing


def _snapshot_on(records: Sequence[Record], steps: Sequence[Step], wishes: Wishes) -> str:
    """The server that saves the state from before; once one of them runs the new version it is too late for that."""
    servers = [record for record in records if record["role"] == "server" and record["probe"]["k3s"]["api"]["ready"]]
    begun = any(version_of(record, records) == wishes.version for record in servers)
    with_etcd = [record["name"] for record in servers if record["probe"]["k3s"]["datastore"] == "etcd"]
    return with_etcd[0] if wishes.snapshot and steps and with_etcd and not begun else ""


def _remarks(records: Sequence[Record]) -> list[str]:
    return [
        f"the cluster's state is in SQLite on {record['name']}, of which k3s saves no snapshot: make a backup first "
        "(hearth.cluster.backup)"
        for record in records
        if record["probe"]["k3s"]["datastore"] == "sqlite"
    ]


def _room_problems(due: Sequence[Record], wishes: Wishes) -> list[str]:
    found = []
    for record in due:
        size = wishes.binaries[record["probe"]["host"]["architecture"]].size
        found += [f"{record['name']}: {problem}" for problem in _too_full(record["probe"]["k3s"]["room"], size)]
    return found


def _too_full(room: Mapping[str, Mapping[str, Any]], size: int) -> list[str]:
    """Both places may lie on one file system, which then must hold all."""
    needs: dict[int, int] = defaultdict(int)
    for part, copies in (("binary", _BINARY_COPIES), ("data", _UNPACKED)):
        needs[room[part]["device"]] += copies * size
    places = {place["device"]: place for place in room.values()}
    return [
        f"{places[device]['path']} has {places[device]['free'] // 2**20} MiB left, and k3s needs {need // 2**20} MiB "
        "there while it is upgraded: make room first"
        for device, need in needs.items()
        if places[device]["free"] < need
    ]
