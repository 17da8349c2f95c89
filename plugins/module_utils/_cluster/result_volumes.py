# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about volumes that move, or would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .drain import counted
from .mover import Served
from .volumes import MovePlan


def result_of_moves(plan: MovePlan, state: str, to: str, served: Served, *, check: bool) -> dict[str, Any]:
    """The answer of the module volume_move."""
    message, changed = _said(plan, state, to, served, check=check)
    return {
        "changed": changed,
        "message": f"Node {plan.node}: {message}",
        "to": to,
        "nodes": plan.candidates if plan.moves else [],
        "moves": [asdict(each) for each in plan.moves],
        "old_copies": [asdict(each) for each in plan.old_copies],
    }


def warnings_about(served: Served, to: str) -> Iterator[str]:
    for identity in served.ill_before:
        yield f"{identity} was not healthy before its pods were stopped, so it was not waited for"
    for identity, why in served.in_doubt:
        yield (
            f"{identity} is not healthy on node {to}, and how it was before is not known, for its pods were stopped"
            f" when this run began: {why}"
        )


def _said(plan: MovePlan, state: str, to: str, served: Served, *, check: bool) -> tuple[str, bool]:
    if state == "cleaned":
        copies = counted(plan.old_copies, "old copy").replace("copys", "copies")
        return f"{copies} {'to forget' if check else 'forgotten'}", bool(plan.old_copies)
    if not plan.moves:
        return "no volume to move", False
    volumes, where = counted(plan.moves, "volume"), f"to {to or ' or '.join(plan.candidates)}"
    if state == "planned" or check:
        return f"{volumes} to move {where}", state == "moved"
    healthy = f", {counted(served.healthy, 'workload')} healthy there" if served.healthy else ""
    return f"{volumes} moved {where}{healthy}", True
