# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is meant to happen to one package, and its record after it happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .._kube.change.live import Live, label_of, uid_of
from .._kube.change.record import Entry, Record, Release, applied_entry, superset
from .._kube.change.steps import SET_LABEL, Plan, Step, Verb
from .._kube.health.verdict import SETTLED_KINDS
from .._kube.manifest import Identity, Manifest
from .._kube.resources import is_definition
from .package import Package
from .release.record import set_id
from .release.rollback import gone_back, trimmed


@dataclass(frozen=True)
class Rendered:
    """The objects that a package shall be in the cluster, and what they were made from."""

    manifests: tuple[Manifest, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Coming:
    """What other packages will have brought by then: a dry run must not take its absence for a mistake."""

    namespaces: frozenset[str] = frozenset()
    definitions: tuple[Manifest, ...] = ()

    def __or__(self, other: Coming) -> Coming:
        return Coming(self.namespaces | other.namespaces, (*self.definitions, *other.definitions))


NOTHING_COMES = Coming()


def brought_by(manifests: Iterable[Manifest]) -> Coming:
    everything = list(manifests)
    namespaces = frozenset(each.identity.name for each in everything if each.kind == "Namespace" and not each.group)
    return Coming(namespaces, tuple(filter(is_definition, everything)))


@dataclass(frozen=True)
class Draft:
    """All that is known and meant before anything is written. `release` is None for a package that is removed."""

    package: Package
    record: Record
    desired: tuple[Manifest, ...]
    whole: tuple[Manifest, ...]  # the rendered set, of which not everything may be due in this run
    release: Release | None
    plan: Plan

    @property
    def is_new_release(self) -> bool:
        return self.release is not None and self.release.number not in {each.number for each in self.record.history}

    @property
    def changes(self) -> bool:
        return self.plan.changed or (self.release is not None and self.release.number != self.record.release)

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to write, nothing to note and nothing to wait for."""
        if self.changes or self.is_new_release or not self.record.entries:
            return False
        is_noted = self.record == begun_record(self, self.release) == final_record(self, {}, self.record)
        return is_noted and (self.record.healthy or not (self.package.wait and self.package.is_wanted))


def begun_record(draft: Draft, release: Release | None) -> Record:
    """What must be on record before anything is written; `release` is the draft's, its parts counted.

    A package in which something is written that has a health is not known to be healthy any more, also where only a
    change made by hand is taken back: a run that ends in between is followed by one that waits.
    """
    begun = superset(draft.record, [manifest for manifest in draft.desired if not manifest.create_only])
    if release is not None:
        is_another = release.number != begun.release
        begun = begun.with_release(release)
        begun = replace(begun, healthy=False) if is_another or _may_fall_ill(draft.plan) else begun
        begun = gone_back(begun, release) if draft.package.state == "previous" else begun
    return trimmed(begun)


def _may_fall_ill(plan: Plan) -> bool:
    return any(step.identity.kind not in SETTLED_KINDS for step in plan.writes)


def final_record(draft: Draft, written: Mapping[Identity, Live], begun: Record) -> Record:
    """What is in the cluster after a plan was carried out; `begun` is the record that was there while it was."""
    todo, record = draft.plan, draft.record
    kept = {step.identity: step.before for step in todo.of(Verb.KEEP) if step.before is not None}
    entries: list[Entry] = []
    for manifest in draft.desired:
        on_record = record.by_identity.get(manifest.identity)
        if not manifest.create_only or manifest.identity in written:
            entries.append(applied_entry(manifest, written.get(manifest.identity) or kept[manifest.identity]))
        elif on_record is not None and on_record.uid == uid_of(kept[manifest.identity]):
            entries.append(on_record)  # made by an earlier run of this package
    for step in todo.of(Verb.KEEP):
        if step.manifest is None and not step.given_up:
            entries.append(record.by_identity[step.identity])
    ordered = tuple(sorted(entries, key=lambda entry: entry.identity))
    if ordered == tuple(sorted(begun.entries, key=lambda entry: entry.identity)):
        ordered = begun.entries
    release = draft.release.number if draft.release else 0
    is_same = ordered == begun.entries and release == begun.release
    return replace(begun, entries=ordered, healthy=begun.healthy and is_same, release=release)


def with_unpruned(final: Record, unpruned: Iterable[Step], record: Record) -> Record:
    """A record that also knows what is still to be pruned."""
    entries = (record.by_identity[step.identity] for step in unpruned)
    return replace(final, entries=(*final.entries, *entries))


def spent(draft: Draft, written: Mapping[Identity, Live]) -> tuple[Step, ...]:
    """What a removal ran, to be removed as well; what was there before and is not this package's stays."""
    lives = ((step, written.get(step.identity) or step.before) for step in draft.plan.steps if step.manifest)
    return tuple(
        Step(Verb.PRUNE, step.identity, before=live)
        for step, live in lives
        if live is not None and label_of(live, SET_LABEL) == set_id(draft.package.name)
    )
