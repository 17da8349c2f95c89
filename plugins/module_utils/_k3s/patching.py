# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Patching and restarting the machines of a cluster as a value: which of them, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .._errors import InputError
from .machines import listed
from .wellbeing import ailments, health_problems, nodes_of, out_of_service

Record = Mapping[str, Any]
Reboot = Literal["needed", "always", "never"]

_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits on one machine: packages to upgrade, and reasons for a restart."""

    packages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One machine. One that an earlier run left out of service may only have to come back."""

    name: str
    packages: tuple[str, ...]
    reasons: tuple[str, ...]  # for a restart, as far as known before the packages are upgraded
    evacuates: bool
    returns: bool  # to service


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to be done; nothing where nothing waits."""

    steps: tuple[Step, ...] = ()
    unfinished: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates, with what is told before it begins."""
        return {
            "steps": [asdict(step) for step in self.steps],
            "unfinished": list(self.unfinished),
            "problems": list(self.problems),
            "says": [_line(step) for step in self.steps] or ["Nothing waits on any machine; there is nothing to do"],
        }


def plan_patch(
    records: Sequence[Record], names: Sequence[str], pending: Mapping[str, Pending], reboot: Reboot
) -> Patch:
    """Decide from the probes of all machines; `names` are those of this run, which should have answered."""
    mine = [record for record in records if record["name"] in pending]
    unfinished = [record["name"] for record in mine if out_of_service(record, records).by_playbook]
    steps = [_step(record, records, pending[record["name"]], reboot) for record in mine]
    due = [step for step in steps if step.packages or step.reasons or step.name in unfinished]
    ordered = sorted(due, key=lambda step: step.name not in unfinished)
    problems = health_problems(ailments(records, names), unfinished)
    return Patch(tuple(ordered), tuple(unfinished), tuple(problems))


def plan_restarts(records: Sequence[Record], names: Sequence[str], reasons: Mapping[str, Sequence[str]]) -> Patch:
    """Decide about machines that must start again, by the `reasons` for it; those that ail without it come first.

    Where no API server answers there is nothing to protect, and a restart may be what the machines lack.
    """
    due = [record for record in records if reasons.get(record["name"])]
    waiting = {record["name"]: Pending(reasons=tuple(reasons[record["name"]])) for record in due}
    if not nodes_of(records):
        bare = [Step(name, (), pending.reasons, evacuates=False, returns=False) for name, pending in waiting.items()]
        return Patch(tuple(bare))
    ailing = ailments(records, names)
    steps = [_step(record, records, waiting[record["name"]], able=record["name"] not in ailing) for record in due]
    ordered = sorted(steps, key=lambda step: step.name not in ailing)
    others = {name: wrong for name, wrong in ailing.items() if name not in waiting}
    return Patch(tuple(ordered), (), tuple(health_problems(others, ())))


def _step(
    record: Record, records: Sequence[Record], waiting: Pending, reboot: Reboot = "needed", *, able: bool = True
) -> Step:
    """A node that somebody else has cordoned is not evacuated, and stays out of service; nor is one not `able`."""
    reasons = {"always": (*waiting.reasons, "asked for"), "needed": waiting.reasons, "never": ()}[reboot]
    out = out_of_service(record, records)
    evacuates = bool(waiting.packages or reasons) and able and not out.by_somebody
    return Step(record["name"], waiting.packages, tuple(reasons), evacuates, returns=evacuates or out.by_playbook)


def _line(step: Step) -> str:
    named = [*step.packages[:_NAMED], *([f"{len(step.packages) - _NAMED} more"] if len(step.packages) > _NAMED else [])]
    parts = [
        "evacuated first, and brought back" if step.evacuates else "brought back" if step.returns else "",
        f"upgrades {listed(named)}" if named else "",
        f"restarts ({'; '.join(step.reasons)})" if step.reasons else "",
    ]
    return f"{step.name}: {', '.join(filter(None, parts))}"


def in_window(window: str, now: str) -> bool:
    """Whether a time of day such as 23:10 lies in a window such as 22:00-05:00; in none it always does."""
    if not window:
        return True
    if not _WINDOW.fullmatch(window):
        raise InputError(f"window is {window!r}; write the time of its begin and of its end, such as 02:00-05:00")
    begin, end = window.split("-")
    return begin <= now < end if begin <= end else now >= begin or now < end
