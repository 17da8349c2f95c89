# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. From what is wanted, what is there and what is on record to the steps that are due.

A plan is a value: check mode, diff, the message, ``changed`` and the apply loop all read this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..diff import difference, essential
from ..fields import field, known, mapping, sequence, text
from ..manifest import Identity, Manifest
from ..server.refusal import FieldConflict, Reason, RefusedError
from .live import Live, is_controlled, label_of, own_entry, owned_digest
from .prune import decide_leftover
from .steps import PROTECTED_KINDS, SET_LABEL, Observation, Plan, Policy, Step, Triage, Verb, owned_by
from .takeover import takeover_names
from .triage import kept

# What is lost when such an object is deleted and made again is nothing that matters.
_RECREATED_FREELY: Mapping[str, str] = {
    "ClusterRoleBinding": "nothing",
    "ConfigMap": "nothing",
    "IngressClass": "nothing",
    "Job": "the pods and logs of the last run",
    "PriorityClass": "nothing",
    "RoleBinding": "nothing",
    "Secret": "nothing",
    "StatefulSet": "nothing: its pods run on and are taken over",
    "StorageClass": "nothing",
}


def plan(
    package: str,
    desired: Sequence[Manifest],
    sorted_out: Triage,
    observed: Mapping[Identity, Observation],
    policy: Policy,
) -> Plan:
    """Make the plan; `observed` holds every doubtful manifest and every leftover."""
    steps = [
        kept(manifest, sorted_out)
        if manifest.identity in sorted_out.known
        else decide(manifest, observed[manifest.identity], policy)
        for manifest in desired
    ]
    uids = {step.uid for step in steps} - {""}
    prunes = (decide_leftover(entry, observed[entry.identity].live, policy, uids) for entry in sorted_out.leftovers)
    return Plan(package, (*steps, *filter(None, prunes)))


def decide(manifest: Manifest, seen: Observation, policy: Policy) -> Step:
    """What is due for one manifest that is not known to be unchanged."""
    identity, live = manifest.identity, seen.live
    if manifest.create_only and live is not None:
        return Step(Verb.KEEP, identity, manifest, before=live, reason="exists already")
    obstacle = seen.obstacle or (_obstacle(live, policy) if live else "")
    if obstacle:
        return Step(Verb.CONFLICT, identity, manifest, before=live, reason=obstacle)
    if seen.refusal is not None:
        return _refused(manifest, seen, policy)
    if live is None:
        return Step(Verb.CREATE, identity, manifest, after=seen.predicted or manifest.content, reason=seen.unpredicted)
    return _changed(manifest, live, seen, is_new=not label_of(live, SET_LABEL))


def _obstacle(live: Live, policy: Policy) -> str:
    """Why an object is not this package's to write."""
    owner = label_of(live, SET_LABEL)
    if owner not in ("", policy.set_id):
        return f"{owned_by(live, owner)}; take it out of one of the two"
    if "deletionTimestamp" in mapping(live, "metadata"):
        return _terminating(live)
    if not owner and own_entry(live) is None and is_controlled(live):
        return _controlled(live)
    return ""


def _changed(manifest: Manifest, live: Live, seen: Observation, *, is_new: bool) -> Step:
    left = _left(seen.left)
    if seen.predicted is None:
        fields = tuple(_missing(manifest.content, essential(live)))
        after: Live = manifest.content
    else:
        fields = difference(live, seen.predicted).paths
        after = seen.predicted
        if not fields and owned_digest(live) == owned_digest(seen.predicted):
            return Step(Verb.KEEP, manifest.identity, manifest, before=live, reason=left, left=seen.left)
    verb = Verb.ADOPT if is_new else Verb.UPDATE
    tools = takeover_names(live) if is_new else ()
    reason = seen.unpredicted or (_overruled(seen.overruled) if seen.overruled else "")
    if tools:
        reason = f"taken over from {', '.join(tools)}; what only that set is removed"
    if not fields:
        reason = reason or "the same values, under this package's ownership"
    return Step(
        verb,
        manifest.identity,
        manifest,
        live,
        after,
        fields,
        "; ".join(filter(None, (reason, left))),
        force=bool(seen.overruled),
        conflicts=seen.overruled,
        left=seen.left,
    )


def _refused(manifest: Manifest, seen: Observation, policy: Policy) -> Step:
    refusal = known(seen.refusal)
    if refusal.reason is Reason.IMMUTABLE and seen.live is not None:
        step = _recreation(manifest, seen.live, refusal, policy)
        grown = "".join(f"; grows {growth}" for growth in seen.growth)
        return replace(step, reason=step.reason + grown, growth=seen.growth)
    return Step(
        Verb.CONFLICT,
        manifest.identity,
        manifest,
        before=seen.live,
        reason=_with_origin(manifest, refusal),
        conflicts=refusal.conflicts,
    )


def _with_origin(manifest: Manifest, error: RefusedError) -> str:
    remedy = ""
    if error.conflicts:
        one = error.conflicts[0]
        remedy = (
            f"; leave these fields out, or take them over, for example with"
            f" force: [{{manager: {one.manager.partition('/')[0]}, fields: ['{one.field}']}}]"
        )
    elif error.reason is Reason.NOT_FOUND:
        remedy = "; set namespace: of the package, or give it a Namespace of that name"
    where = f" [{manifest.origin}]" if manifest.origin else ""
    return f"{error}{remedy}{where}"


def _recreation(manifest: Manifest, live: Live, error: RefusedError, policy: Policy) -> Step:
    kind = manifest.kind
    fields = tuple(_missing(manifest.content, essential(live)))
    if kind in PROTECTED_KINDS:
        reason = f"{error}. A {kind} is never deleted and made again, because what it holds would be lost"
        return Step(Verb.CONFLICT, manifest.identity, manifest, live, fields=fields, reason=reason)
    if kind not in _RECREATED_FREELY and not policy.recreate:
        reason = f"{error}. Set recreate: true to delete it and make it anew; it is not there in between"
        return Step(Verb.CONFLICT, manifest.identity, manifest, live, fields=fields, reason=reason)
    lost = _RECREATED_FREELY.get(kind, "its pods, its addresses: it is not there in between")
    reason = f"a field that cannot change differs ({', '.join(fields) or 'see the diff'}); lost: {lost}"
    return Step(Verb.RECREATE, manifest.identity, manifest, live, manifest.content, fields, reason)


def _terminating(live: Live) -> str:
    finalizers = mapping(live, "metadata").get("finalizers") or ()
    held = f", held by {', '.join(finalizers)}" if finalizers else ""
    return f"is being deleted{held}; run again when it is gone"


def _controlled(live: Live) -> str:
    made_by = next(each for each in sequence(live, "metadata", "ownerReferences") if field(each, "controller") is True)
    owner = f"{text(made_by, 'kind')} {text(made_by, 'name')}"
    return f"is made and kept by {owner}; change that, or take this object out of the package"


def _overruled(conflicts: Iterable[FieldConflict]) -> str:
    managers = sorted({conflict.manager for conflict in conflicts})
    return f"takes over fields from {', '.join(managers)}"


def _left(conflicts: Iterable[FieldConflict]) -> str:
    told = ", ".join(f"{conflict.field} to {conflict.manager}" for conflict in conflicts)
    return f"leaves {told}" if told else ""


_NOTHING = object()


def _missing(wanted: Any, live: Any, path: str = "") -> Iterator[str]:
    """Paths of what is wanted and not so in the live object; what is only in the live object does not matter."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key, value in wanted.items():
            yield from _missing(value, live.get(key, _NOTHING), f"{path}.{key}" if path else key)
    elif wanted != live:
        yield path
