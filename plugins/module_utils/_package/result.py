# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a run tells: one shape, whatever happened. Everything is read from the plans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._errors import HearthError
from .._kube.change.steps import Plan, Step, Verb
from .._kube.fields import known
from .._kube.yaml import write_yaml
from .install import Outcome

_VERB_WORDS = {
    Verb.CREATE: "created",
    Verb.UPDATE: "updated",
    Verb.RECREATE: "recreated",
    Verb.ADOPT: "adopted",
    Verb.PRUNE: "pruned",
    Verb.KEEP: "unchanged",
}


def result_of(outcomes: Iterable[Outcome], *, check: bool, with_diff: bool) -> dict[str, Any]:
    """The module's answer."""
    everything = list(outcomes)
    answer: dict[str, Any] = {
        "changed": any(outcome.changed for outcome in everything),
        "message": "; ".join(_told(outcome, check=check) for outcome in everything) or "no package to look at",
        "packages": [_package(outcome, check=check) for outcome in everything],
    }
    if with_diff:
        answer["diff"] = [entry for outcome in everything for entry in diff_of(outcome.plan)]
    return answer


def failure_of(outcomes: Sequence[Outcome], answer: Mapping[str, Any]) -> HearthError | None:
    """The one error of a run in which packages failed: it tells of all of them, and carries the whole answer."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if not failed:
        return None
    first = known(failed[0].error)
    if len(outcomes) > 1:
        said = "\n\n".join(_named(outcome) for outcome in failed)
        first.args = (f"{len(failed)} of {len(outcomes)} packages failed.\n\n{said}",)
    first.details = {**answer, **first.details, "changed": answer["changed"]}
    return first


def _named(outcome: Outcome) -> str:
    said, beginning = str(outcome.error), f"package {outcome.package.name}: "
    return said if said.startswith(beginning) else beginning + said


def _told(outcome: Outcome, *, check: bool) -> str:
    return f"{outcome.package.name}: failed" if outcome.error else message(outcome.plan, check=check)


def _package(outcome: Outcome, *, check: bool) -> dict[str, Any]:
    return {
        "name": outcome.package.name,
        "state": outcome.package.state,
        "changed": outcome.changed,
        "failed": outcome.error is not None,
        "release": outcome.release,
        "message": str(outcome.error) if outcome.error else message(outcome.plan, check=check),
        "counts": outcome.plan.counts(),
        "objects": [_object(step) for step in outcome.plan.steps],
    }


def _object(step: Step) -> dict[str, Any]:
    return {
        "step": step.verb.value,
        "group": step.identity.group,
        "kind": step.identity.kind,
        "namespace": step.identity.namespace,
        "name": step.identity.name,
        "fields": list(step.fields),
        "reason": step.reason,
    }


def message(plan: Plan, *, check: bool) -> str:
    """One line about a package, for example ``blog: 2 created, 1 updated, 4 unchanged``."""
    counts = plan.counts()
    would = "would be " if check and plan.changed else ""
    parts = [
        f"{counts[verb.value]} {would if verb is not Verb.KEEP else ''}{word}"
        for verb, word in _VERB_WORDS.items()
        if counts[verb.value]
    ]
    return f"{plan.package}: {', '.join(parts) or 'nothing is there'}"


def diff_of(plan: Plan) -> list[dict[str, str]]:
    """One entry per object that changes, in Ansible's form: only what changes, and no secret."""
    return [_diff(step) for step in plan.steps if step.verb not in (Verb.KEEP, Verb.CONFLICT)]


def _diff(step: Step) -> dict[str, str]:
    from .._kube.diff import difference  # noqa: PLC0415  # who does not ask for a diff starts without it

    before = step.before if step.verb is not Verb.CREATE else None
    after = step.after if step.verb is not Verb.PRUNE else None
    differs = difference(before, after)
    name = f"{step.identity.kind} {step.identity.namespace or '-'}/{step.identity.name}"
    reason = f" ({step.reason})" if step.reason else ""
    return {
        "before_header": f"{name} before",
        "after_header": f"{name}, {_VERB_WORDS[step.verb]}{reason}",
        "before": write_yaml(differs.before) if differs.before else "",
        "after": write_yaml(differs.after) if differs.after else "",
    }
