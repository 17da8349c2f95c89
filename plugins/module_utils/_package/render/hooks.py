# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Hooks of charts as what they are for: objects that come before or after all others.

A hook is applied like any object. Its Jobs are run to their end before what comes later is written:

* before everything else (``pre-install``, ``pre-upgrade``) or after it, by ascending weight;
* what runs at every upgrade runs again when anything else of the chart changes, because its pods carry a digest of it;
* what belongs to the first install alone is made once and kept, and what belongs to upgrades alone waits for the first;
* finished Jobs stay: they show that they have been run.

Hooks for a rollback or a removal are kept with the release and written when one happens; what a removal ran goes with
the package. Hooks that test are left out: nothing here calls them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._kube.change.change_groups import waves
from ..._kube.fields import mapping, text
from ..._kube.manifest import Identity, Manifest, digest_of

_EVENTS = "helm.sh/hook"
_WEIGHT = "helm.sh/hook-weight"
_AT_INSTALL = frozenset({"pre-install", "post-install"})
_AT_UPGRADE = frozenset({"pre-upgrade", "post-upgrade"})
_RUN = "hearth.cluster/runs-for"
_THAT_RUN = frozenset({"Job", "Pod"})


@dataclass(frozen=True)
class Occasion:
    """Something that is done to a whole package, by the hooks that it calls before and after."""

    before: frozenset[str]
    after: frozenset[str]

    @property
    def calls(self) -> frozenset[str]:
        return self.before | self.after


APPLYING = Occasion(frozenset({"pre-install", "pre-upgrade"}), frozenset({"post-install", "post-upgrade"}))
GOING_BACK = Occasion(frozenset({"pre-rollback"}), frozenset({"post-rollback"}))
REMOVING = Occasion(frozenset({"pre-delete"}), frozenset({"post-delete"}))


@dataclass(frozen=True)
class Act:
    """Objects that are written together. What runs among those of a hook has ended before the next act begins."""

    identities: frozenset[Identity]
    runs: frozenset[Identity] = frozenset()
    awaits_all: bool = False


def events_of(manifest: Manifest) -> frozenset[str]:
    told = text(manifest.content, "metadata", "annotations", _EVENTS)
    return frozenset(each.strip() for each in told.split(",")) - {""}


def is_for_upgrades_alone(manifest: Manifest) -> bool:
    events = events_of(manifest)
    return bool(events & _AT_UPGRADE) and not events & _AT_INSTALL


def wanted(manifests: Sequence[Manifest]) -> list[Manifest]:
    """What a chart gives, without hooks that nothing here calls."""
    called = APPLYING.calls | GOING_BACK.calls | REMOVING.calls | {"crd-install"}
    return [each for each in manifests if not events_of(each) or events_of(each) & called]


def as_steps(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Hooks made into objects that a plan can hold."""
    seal = digest_of([each.content for each in manifests if not events_of(each) and not each.create_only])
    return [_as_step(each, seal) for each in manifests]


def _as_step(manifest: Manifest, seal: str) -> Manifest:
    events = events_of(manifest)
    if not events & APPLYING.calls:
        return manifest
    kept = _without_end(manifest) if manifest.kind == "Job" else manifest
    if not events & _AT_UPGRADE:
        return replace(kept, create_only=True)
    return _sealed(kept, seal) if manifest.kind == "Job" else kept


def _without_end(manifest: Manifest) -> Manifest:
    """A Job that would remove itself would be run again by the next run, which misses it."""
    spec = {key: value for key, value in mapping(manifest.content, "spec").items() if key != "ttlSecondsAfterFinished"}
    return manifest.with_content({**manifest.content, "spec": spec})


def _sealed(manifest: Manifest, seal: str) -> Manifest:
    """With a template that changes whenever the job is due again: templates of Jobs cannot change, so it is remade."""
    spec: dict[str, Any] = dict(mapping(manifest.content, "spec"))
    template = dict(mapping(spec, "template"))
    metadata = dict(mapping(template, "metadata"))
    template["metadata"] = {**metadata, "annotations": {**mapping(metadata, "annotations"), _RUN: seal[:32]}}
    return manifest.with_content({**manifest.content, "spec": {**spec, "template": template}})


def due(manifests: Sequence[Manifest], on_record: Collection[Identity], *, upgrades: bool) -> tuple[Manifest, ...]:
    """Without hooks for upgrades where nothing is upgraded; those that were run before stay, as they were run."""
    return tuple(
        each
        for each in manifests
        if not _is_for_later(each) and (upgrades or not is_for_upgrades_alone(each) or each.identity in on_record)
    )


def _is_for_later(manifest: Manifest) -> bool:
    events = events_of(manifest)
    return bool(events & (GOING_BACK.calls | REMOVING.calls)) and not events & APPLYING.calls


def acts(manifests: Sequence[Manifest], foundation: Collection[Identity], occasion: Occasion = APPLYING) -> list[Act]:
    """In which order to write. `foundation` is needed by everything, hooks too.

    One act is the rule; more than one come from the hooks of a chart, or else from the rules of kapp's annotations.
    """
    hooks = [each for each in manifests if events_of(each) & occasion.calls and each.identity not in foundation]
    if not hooks:
        return _ruled(manifests, foundation)
    before = [each for each in hooks if events_of(each) & occasion.before]
    after = [each for each in hooks if each not in before]
    ordinary = {each.identity for each in manifests} - {each.identity for each in hooks} - set(foundation)
    return [
        Act(frozenset(foundation)),
        *_by_weight(before),
        Act(frozenset(ordinary), awaits_all=bool(after)),
        *_by_weight(after),
    ]


def _ruled(manifests: Sequence[Manifest], foundation: Collection[Identity]) -> list[Act]:
    found = waves([each for each in manifests if each.identity not in foundation])
    if len(found) == 1:
        return [Act(frozenset(each.identity for each in manifests))]
    sets = [frozenset(each.identity for each in wave) for wave in found]
    return [
        Act(frozenset(foundation)),
        *(Act(identities, awaits_all=True) for identities in sets[:-1]),
        Act(sets[-1]),
    ]


def _by_weight(hooks: Iterable[Manifest]) -> Iterator[Act]:
    weights: dict[int, list[Identity]] = {}
    for hook in hooks:
        weights.setdefault(_weight(hook), []).append(hook.identity)
    for weight in sorted(weights):
        found = frozenset(weights[weight])
        yield Act(found, frozenset(each for each in found if each.kind in _THAT_RUN))


def _weight(manifest: Manifest) -> int:
    told = text(manifest.content, "metadata", "annotations", _WEIGHT).strip()
    return int(told) if told.lstrip("+-").isdigit() else 0


def on_the_way_back(manifests: Sequence[Manifest], seal: str) -> tuple[Manifest, ...]:
    """An earlier release to go back to: with what it runs for that, without what it ran on its way in."""
    called = {each.identity: each for each in _called(manifests, GOING_BACK, seal)}
    lasting = (each for each in manifests if not _is_for_later(each) and not _runs_at_upgrades(each))
    return (*(each for each in lasting if each.identity not in called), *called.values())


def _runs_at_upgrades(manifest: Manifest) -> bool:
    return manifest.kind in _THAT_RUN and bool(events_of(manifest) & _AT_UPGRADE)


def for_removal(manifests: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """What a release wants to have run before and after it is removed."""
    return tuple(_called(manifests, REMOVING, digest_of("removed")))


def acts_around_removal(hooks: Sequence[Manifest]) -> tuple[list[Act], list[Act]]:
    before = [each for each in hooks if events_of(each) & REMOVING.before]
    return list(_by_weight(before)), list(_by_weight(each for each in hooks if each not in before))


def _called(manifests: Iterable[Manifest], occasion: Occasion, seal: str) -> Iterator[Manifest]:
    """The hooks of an occasion; Jobs are run again although they have been run for another one."""
    for each in manifests:
        if events_of(each) & occasion.calls:
            yield replace(_sealed(_without_end(each), seal), create_only=False) if each.kind == "Job" else each
