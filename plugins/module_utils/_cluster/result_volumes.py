# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about volumes that move, or would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .._kube.manifest import Identity
from .drain import counted
from .volumes import MovePlan


def result_of_moves(
    plan: MovePlan, state: str, to: str, healthy: Sequence[Identity] = (), *, check: bool
) -> dict[str, Any]:
    """The answer of the module volume_move."""
    message, changed = _said(plan, state, to, healthy, check=check)
    return {
        "changed": changed,
        "message": f"Node {plan.node}: {message}",
        "to": to,
        "nodes": plan.candidates if plan.moves else [],
        "moves": [asdict(each) for each in plan.moves],
        "old_copies": [asdict(each) for each in plan.old_copies],
    }


def _said(plan: MovePlan, state: str, to: str, healthy: Sequence[Identity], *, check: bool) -> tuple[str, bool]:
    if state == "cleaned":
        copies = counted(plan.old_copies, "old copy").replace("copys", "copies")
        return f"{copies} {'to forget' if check else 'forgotten'}", bool(plan.old_copies)
    if not plan.moves:
        return "no volume to move", False
    volumes, where = counted(plan.moves, "volume"), f"to {to or ' or '.join(plan.candidates)}"
    if state == "planned" or check:
        return f"{volumes} to move {where}", state == "moved"
    served = f", {counted(healthy, 'workload')} healthy there" if healthy else ""
    return f"{volumes} moved {where}{served}", True
