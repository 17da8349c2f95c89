# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Write what a draft says, wait until it is healthy, and keep the record true meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .._errors import NotReadyError
from .._kube.change.apply import Applier
from .._kube.change.live import Live
from .._kube.change.order import Stage
from .._kube.change.record import Record
from .._kube.change.steps import SET_LABEL
from .._kube.health.expectation import Expectation
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Waiter
from .._kube.manifest import Identity, Manifest
from .._kube.patience import Clock
from .._kube.port import Cluster
from .acts import write_in_acts
from .customise.healthy import expected_of
from .draft import Draft, begun_record, final_record, spent, with_unpruned
from .gate import backing_workloads
from .package import Package
from .release.history import History, pack
from .release.keeper import RecordKeeper
from .release.record import set_id
from .release.turns import Turn
from .render.hooks import APPLYING, GOING_BACK, Act, acts_around_removal

_READ_BY_PODS = frozenset({"ConfigMap", "Secret"})


@dataclass(frozen=True)
class CarryOut:
    """Carries drafts of one package out, for as long as it is this run's turn."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Callable[[str], None]
    keeper: RecordKeeper
    turn: Turn

    def run(self, draft: Draft) -> bool:
        """Do all of it; returns whether health was waited for."""
        package, todo = draft.package, draft.plan
        if todo.changed:
            self.report(f"package {package.name}: {len(todo.writes)} objects to write, {len(todo.prunes)} to delete")
        begun = self._begin(draft)
        applier = Applier(self.cluster, self.clock, float(package.wait_timeout), self._gate(package, draft.desired))
        if not package.is_wanted:
            self._take_away(draft, applier, begun)
            return False
        written = write_in_acts(
            applier,
            todo,
            draft.desired,
            lambda awaited: self._await(package, awaited, {}),
            wait_for_all=package.wait,
            occasion=GOING_BACK if package.state == "previous" else APPLYING,
        )
        self.turn.check()
        # Pods of the old kind run until the new ones are healthy, and may still need their configuration.
        late = tuple(step for step in todo.prunes if step.identity.kind in _READ_BY_PODS)
        applier.prune([step for step in todo.prunes if step not in late], wait=package.wait)
        final = final_record(draft, written, begun)
        waited = package.wait and (todo.changed or not begun.healthy or final != begun)
        if waited:
            self._await_health(package, draft.desired, with_unpruned(final, late, draft.record))
        self.turn.check()
        applier.prune(late, wait=False)
        final = _seen_healthy(final) if waited else final
        if final != begun:
            self.keeper.write(final)
        return waited

    def _take_away(self, draft: Draft, applier: Applier, begun: Record) -> None:
        """Remove everything, between what the package wants to have run before and after that."""
        before, after = acts_around_removal(draft.desired)
        written = self._play(before, draft, applier)
        self.turn.check()
        applier.prune(draft.plan.prunes, wait=draft.package.wait)
        written |= self._play(after, draft, applier)
        applier.prune(spent(draft, written), wait=draft.package.wait)
        final = final_record(replace(draft, desired=()), {}, begun)
        if not final.entries:
            History(self.cluster, draft.package.name).sweep(())
            self.keeper.remove()
        elif final != begun:
            self.keeper.write(final)

    def _play(self, acts: Iterable[Act], draft: Draft, applier: Applier) -> dict[Identity, Live]:
        written: dict[Identity, Live] = {}
        for act in acts:
            written.update(applier.write(draft.plan, draft.desired, among=act.identities))
            if act.runs:
                self._await(draft.package, act.runs, {})
        return written

    def _begin(self, draft: Draft) -> Record:
        """Put on record what will be there, before it is; the next run needs it should this one not get to its end."""
        release, history = draft.release, History(self.cluster, draft.package.name)
        if release is not None and draft.is_new_release:
            parts = pack(draft.whole)
            history.store(release.number, parts)
            release = replace(release, parts=len(parts))
        begun = begun_record(draft, release)
        if begun != draft.record:
            self.keeper.write(begun)
        if draft.is_new_release:
            history.sweep({each.number for each in begun.history})
        return begun

    def _await_health(self, package: Package, desired: Iterable[Manifest], final: Record) -> None:
        owned = [manifest for manifest in desired if not manifest.create_only]
        try:
            self._await(package, {manifest.identity for manifest in owned}, expected_of(package.healthy, owned))
        except NotReadyError:
            self.keeper.write(replace(final, healthy=False))
            raise

    def _await(
        self,
        package: Package,
        identities: Iterable[Identity],
        expected: Mapping[Identity, Sequence[Expectation]],
    ) -> None:
        """Wait for some objects; what has ended badly is not on its way any more."""

        def report(line: str) -> None:
            self.report(f"package {package.name}: {line}")

        waiter = Waiter(self.cluster, self.clock, self.surroundings, report, expected)
        selector = f"{SET_LABEL}={set_id(package.name)}"
        try:
            waiter.until_healthy(identities, selector=selector, seconds=package.wait_timeout)
        except NotReadyError as error:
            raise NotReadyError(f"package {package.name}: {error}", **error.details) from error

    def _gate(self, package: Package, desired: Sequence[Manifest]) -> Callable[[Stage], None]:
        """Before webhooks are registered the workloads behind them must answer, or nothing could be written."""
        backing = backing_workloads(desired)

        def gate(stage: Stage) -> None:
            self.turn.check()
            if stage is Stage.WEBHOOKS and backing and package.wait:
                self._await(package, backing, {})

        return gate


def _seen_healthy(record: Record) -> Record:
    release = record.current
    return replace(record.with_release(replace(release, healthy=True)) if release else record, healthy=True)
