# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about the work on a node: one shape, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._kube.change.live import Live
from .._kube.diff import Difference, difference
from .._kube.fields import mapping, sequence, text
from .._kube.manifest import Identity
from .._kube.yaml import write_yaml
from .drain import DrainPlan, Fate, counted
from .keeper import Outcome, Task
from .node import CORDON_TAINT, NO_DRAIN, is_cordoned, is_ready, taints_of


def result_of_work(outcome: Outcome, task: Task, *, check: bool, with_diff: bool) -> dict[str, Any]:
    """The answer of the module node."""
    fields = _difference(outcome).paths
    drained = outcome.drained
    plan = drained.plan if drained else DrainPlan(task.name)
    answer: dict[str, Any] = {
        "changed": bool(fields) or outcome.pods_move or bool(outcome.aside),
        "message": f"Node {task.name}: {', '.join(_said(outcome, fields, check=check)) or 'unchanged'}",
        "node": _node(outcome.after, task.name),
        "fields": list(fields),
        "evicted": [verdict.name for verdict in plan.leaving],
        "balanced": list(outcome.balanced),
        "left": [{"pod": verdict.name, "reason": verdict.reason} for verdict in plan.of(Fate.LEAVE)],
        "moved": [_named(each) for each in drained.healthy] if drained else [],
        "came_back": list(drained.came_back) if drained else [],
        "unhealthy_before": [_named(each) for each in drained.ill_before] if drained else [],
    }
    if with_diff and answer["changed"]:
        answer["diff"] = [_diff(outcome, task.name)]
    return answer


def warnings_about(outcome: Outcome) -> Iterator[str]:
    drained = outcome.drained
    for identity in drained.ill_before if drained else ():
        yield f"{identity} was not healthy before its pods were moved, so it was not waited for"
    for pod in drained.came_back if drained else ():
        yield f"pod {pod} came to the cordoned node: it tolerates the cordon, or is bound to the node by its name"


def _said(outcome: Outcome, fields: tuple[str, ...], *, check: bool) -> Iterator[str]:
    if outcome.after is None:
        yield "would be deleted" if outcome.before and check else "deleted" if outcome.before else "is not there"
        yield from outcome.aside
        return
    before, after = is_cordoned(outcome.before or {}), is_cordoned(outcome.after)
    if before != after:
        yield "cordoned" if after else "uncordoned"
    if outcome.pods_move and outcome.drained:
        verb = "to evict" if check else "evicted"
        yield f"{counted(outcome.drained.plan.leaving, 'pod')} {verb}"
    if outcome.drained and outcome.drained.healthy:
        yield f"{counted(outcome.drained.healthy, 'workload')} healthy elsewhere"
    if outcome.balanced:
        yield f"{counted(outcome.balanced, 'pod')} evicted elsewhere, so that it gets its share"
    others = [field for field in fields if field != "spec.unschedulable"]
    if others:
        yield f"{', '.join(others)} changed"
    yield from outcome.aside
    if outcome.kept_cordon:
        yield "stays cordoned, for it was not a drain that cordoned it (cordoned: false uncordons it)"


def _difference(outcome: Outcome) -> Difference:
    return difference(_without_marks(outcome.before), _without_marks(outcome.after))


def _without_marks(node: Live | None) -> Live | None:
    """A node without the notes of a drain, and the taint by which the server marks it as cordoned, a moment later."""
    if node is None:
        return None
    spec = {key: value for key, value in mapping(node, "spec").items() if key != "taints"}
    taints = [each for each in sequence(node, "spec", "taints") if text(each, "key") != CORDON_TAINT]
    metadata = {key: value for key, value in mapping(node, "metadata").items() if key != "annotations"}
    annotations = {key: value for key, value in mapping(node, "metadata", "annotations").items() if key not in NO_DRAIN}
    return {
        **node,
        "metadata": {**metadata, **({"annotations": annotations} if annotations else {})},
        "spec": {**spec, **({"taints": taints} if taints else {})},
    }


def _node(live: Live | None, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "exists": live is not None,
        "ready": is_ready(live or {}),
        "cordoned": is_cordoned(live or {}),
        "labels": dict(mapping(live, "metadata", "labels")),
        "taints": taints_of(live or {}),
    }


def _named(identity: Identity) -> Mapping[str, str]:
    return {"kind": identity.kind, "namespace": identity.namespace, "name": identity.name}


def _diff(outcome: Outcome, name: str) -> dict[str, str]:
    differs = _difference(outcome)
    evicted = [verdict.name for verdict in outcome.drained.plan.leaving] if outcome.drained else []
    before = {**(differs.before or {}), **({"pods": evicted} if evicted else {})}
    after = {**(differs.after or {}), **({"pods": []} if evicted else {})}
    return {
        "before_header": f"Node {name} before",
        "after_header": f"Node {name} after",
        "before": write_yaml(before) if before else "",
        "after": write_yaml(after) if after else "",
    }
