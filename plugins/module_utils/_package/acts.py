# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Write a plan in acts: what a chart wants to have run before or after everything else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from .._kube.change.apply import Applier
from .._kube.change.live import Live
from .._kube.change.order import Stage, stage_of
from .._kube.change.steps import Plan, Verb
from .._kube.manifest import Identity, Manifest
from .render.hooks import APPLYING, Act, Occasion, acts

Await = Callable[[Collection[Identity]], None]


def write_in_acts(
    applier: Applier,
    plan: Plan,
    desired: Sequence[Manifest],
    wait: Await,
    *,
    wait_for_all: bool,
    occasion: Occasion = APPLYING,
) -> dict[Identity, Live]:
    """Carry out everything but the prunes; an act that others stand behind is waited for, if there is more to write."""
    foundation = {each.identity for each in desired if stage_of(each.identity) is Stage.FOUNDATION}
    played = acts(desired, foundation, occasion)
    to_write = {step.identity for step in plan.writes}
    written: dict[Identity, Live] = {}
    for number, act in enumerate(played):
        written.update(applier.write(plan, desired, among=act.identities))
        is_over = not any(to_write & each.identities for each in played[number:])
        awaited = _awaited(act, plan, wait_for_all=wait_for_all)
        if awaited and len(played) > 1 and not is_over:
            wait(awaited)
    return written


def _awaited(act: Act, plan: Plan, *, wait_for_all: bool) -> set[Identity]:
    """What was made once and is kept does not run again, and need not be this package's."""
    kept = {step.identity for step in plan.of(Verb.KEEP) if step.manifest is not None and step.manifest.create_only}
    wanted = act.identities if act.awaits_all and wait_for_all else act.runs
    return set(wanted) - kept
