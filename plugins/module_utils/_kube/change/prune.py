# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What becomes of objects that are on record and no longer wanted."""

from __future__ import annotations

from collections.abc import Mapping

from ..fields import mapping, text
from ..manifest import Identity
from .live import Live, is_controlled, label_of, uid_of
from .record import Entry
from .steps import PROTECTED_KINDS, SET_LABEL, Policy, Step, Verb, owned_by

_KEEP_ANNOTATIONS: Mapping[str, tuple[str, ...]] = {
    "helm.sh/resource-policy": ("keep",),
    "argocd.argoproj.io/sync-options": ("Prune=false",),
    "kustomize.toolkit.fluxcd.io/prune": ("disabled",),
    "cli-utils.sigs.k8s.io/on-remove": ("keep",),
    "client.lifecycle.config.k8s.io/deletion": ("detach",),
}


def decide_leftover(entry: Entry, live: Live | None, policy: Policy, wanted_uids: set[str]) -> Step | None:
    """What is due for an object that is on record and no longer wanted; None where it is gone already."""
    if live is None or uid_of(live) in wanted_uids or "deletionTimestamp" in mapping(live, "metadata"):
        return None
    foreign = _why_foreign(entry, live, policy)
    if foreign:
        return Step(Verb.KEEP, entry.identity, before=live, reason=f"left alone: {foreign}", given_up=True)
    why_kept = _why_kept(entry.identity, live, policy)
    if why_kept:
        return Step(Verb.KEEP, entry.identity, before=live, reason=f"kept: {why_kept}")
    return Step(Verb.PRUNE, entry.identity, before=live, reason="no longer part of the package")


def _why_foreign(entry: Entry, live: Live, policy: Policy) -> str:
    owner = label_of(live, SET_LABEL)
    if owner not in ("", policy.set_id):
        return f"it {owned_by(live, owner)}"
    if entry.is_pending and owner != policy.set_id:
        return "this package never got to make it"
    if entry.uid and entry.uid != uid_of(live):
        return "somebody else made it after this package's own was gone"
    return "a controller owns it" if is_controlled(live) else ""


def _why_kept(identity: Identity, live: Live, policy: Policy) -> str:
    if _has_keep_annotation(live):
        return "its annotations ask for it"
    if not policy.prune:
        return "prune is off"
    full_name = f"{identity.kind}/{identity.name}"
    if identity.kind in PROTECTED_KINDS and not policy.prune_also & {identity.kind, full_name}:
        return f"deleting it deletes what it holds; name {full_name} in prune_also to delete it"
    return ""


def _has_keep_annotation(live: Live) -> bool:
    annotations = mapping(live, "metadata", "annotations")
    return any(
        wanted in text(annotations, key).split(",") for key, values in _KEEP_ANNOTATIONS.items() for wanted in values
    )
