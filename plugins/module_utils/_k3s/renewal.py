# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. New certificates for machines of a cluster as a value: which first, and why not now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .wellbeing import ailing_servers, health_problems

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Renewal:
    """The machines in the order in which each of them restarts."""

    order: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates, with what is told before it begins."""
        says = [
            f"k3s is stopped on {name}, its certificates are put aside, and it is started again, which makes new ones, "
            "and waited for"
            for name in self.order
        ]
        return {"order": list(self.order), "problems": list(self.problems), "says": says}


def plan_renewal(
    records: Sequence[Record], names: Sequence[str], renewed: Sequence[str], here: Sequence[str]
) -> Renewal:
    """Decide from the machines that are known; `names` are all of the cluster, `here` those that this run can restart.

    A server that ails may be what a run that was cut short has stopped: it comes first if it is one of the `renewed`
    that are here.
    """
    strangers = [
        f"{name} is no machine of the cluster; its machines are {', '.join(names)}"
        for name in renewed
        if name not in names
    ]
    due = [name for name in renewed if name in here]
    left_out = [
        f"{name} takes no part in this run, so no certificates are renewed: see that --limit does not leave it out, "
        "and that it answers"
        for name in renewed
        if name in names and not due
    ]
    ailing = ailing_servers(records)
    turns = {record["name"]: (record["role"] == "agent", record["name"] not in ailing) for record in records}
    return Renewal(
        order=tuple(sorted((name for name in turns if name in due), key=turns.__getitem__)),
        problems=(*strangers, *left_out, *health_problems(ailing, due)),
    )
