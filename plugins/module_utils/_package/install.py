# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. One package from its source to a healthy cluster, and back if it does not get healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._errors import ClusterError, HearthError, InputError
from .._kube.change.change_groups import waves
from .._kube.change.record import Record, Release
from .._kube.change.steps import Plan, Policy
from .._kube.change.triage import kept, read_metadata, triage
from .._kube.fields import known
from .._kube.manifest import Manifest, digest_of
from .._kube.patience import Clock
from .._kube.port import Cluster
from .._kube.resources import Catalogue, is_definition
from .build import build
from .draft import NOTHING_COMES, Coming, Draft, Rendered
from .package import Package
from .release.history import History, set_digest
from .release.keeper import RecordKeeper
from .release.record import set_id
from .release.rollback import release_before, release_for, with_newer_definitions
from .release.turns import Turn, Turns
from .render.hooks import due, for_removal, on_the_way_back
from .render.situation import Situation
from .sources.fetch import Fetcher
from .sources.source import version_of

if TYPE_CHECKING:
    from .._kube.health.verdict import Surroundings

Report = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one package: all that is told about it is read from here."""

    package: Package
    plan: Plan
    waited: bool = False
    release: int = 0
    error: HearthError | None = None

    @property
    def changed(self) -> bool:
        return self.plan.changed if self.error is None else bool(self.error.details.get("changed"))


@dataclass(frozen=True)
class Installer:
    """Carries packages out against one cluster; with `check` nothing is written."""

    cluster: Cluster
    fetcher: Fetcher
    clock: Clock
    surroundings: Callable[[], Surroundings]
    turns: Turns
    report: Report
    check: bool = False

    def run(self, package: Package, rendered: Rendered | None = None, coming: Coming = NOTHING_COMES) -> Outcome:
        if rendered is None:
            rendered = self.render(package, self.cluster.catalogue())
        keeper = RecordKeeper(self.cluster, package.name)
        draft = self._draft(package, rendered, keeper.read(), coming)
        if self.check or draft.is_settled:
            return _outcome(draft)
        if not draft.changes:
            return self._carry_out(draft, keeper, Turn(package.name))
        with self.turns.take(package.name) as turn:
            if keeper.is_out_of_date():  # another run has ended since
                draft = self._draft(package, rendered, keeper.read(), coming)
            return self._carry_out_or_go_back(draft, keeper, turn)

    def render(self, package: Package, catalogue: Catalogue) -> Rendered:
        """Fetch and customise; nothing of it depends on what the cluster holds of this package."""
        if package.state != "present":
            return Rendered()
        situation = Situation(package.name, package.namespace, package.values, self.cluster.version, lambda: catalogue)
        fetched = self.fetcher.fetch(package.source, situation)
        manifests = build(
            package, fetched.manifests, lambda pattern: self.fetcher.files_for(fetched.folder, pattern), catalogue
        )
        if package.healthy:
            from .customise.healthy import refuse_unmet  # noqa: PLC0415  # as below

            refuse_unmet(package.healthy, manifests)
        waves(manifests)  # rules that go in a circle are told before anything is changed
        source = {"source": str(package.source or "generated"), "version": version_of(package.source)}
        return Rendered(manifests, {**source, "digest": fetched.digest})

    def _draft(self, package: Package, rendered: Rendered, record: Record, coming: Coming = NOTHING_COMES) -> Draft:
        desired, release = rendered.manifests, None
        if package.state == "previous":
            release = release_before(record)
            left = max(each.number for each in record.history if each.number >= release.number)
            desired = on_the_way_back(self._stored(record, release), digest_of([left, release.number]))
        elif package.is_wanted:
            digest = set_digest(desired)
            release = release_for(record, digest=digest, objects=len(desired), parts=0, origin=rendered.origin)
            upgrades = bool(record.history) and release.number != record.release
            desired = due(desired, record.by_identity, upgrades=upgrades)
        todo = self._plan(package, desired, record, coming)
        if not package.is_wanted and todo.prunes:
            desired = self._hooks_for_removal(package, record)
            todo = self._plan(package, desired, record, coming) if desired else todo
        _refuse_conflicts(todo)
        return Draft(package, record, desired, rendered.manifests, release, todo)

    def _plan(self, package: Package, desired: Sequence[Manifest], record: Record, coming: Coming) -> Plan:
        policy = _policy(package)
        catalogue = self.cluster.catalogue()
        live = read_metadata(self.cluster, catalogue, desired, record, policy)
        sorted_out = triage(desired, live, record)
        if sorted_out.is_clean:
            return Plan(package.name, tuple(kept(manifest, sorted_out) for manifest in desired))
        from .._kube.change.examine import examine  # noqa: PLC0415  # as below
        from .._kube.change.plan import plan  # noqa: PLC0415
        from .rights import refuse_missing_rights  # noqa: PLC0415

        refuse_missing_rights(self.cluster, package.name, catalogue, sorted_out)
        observed = examine(self.cluster, catalogue, desired, sorted_out, policy, coming=coming.namespaces)
        return plan(package.name, desired, sorted_out, observed, policy)

    def _hooks_for_removal(self, package: Package, record: Record) -> tuple[Manifest, ...]:
        """What the release that is in the cluster wants to have run at its removal, by somebody who waits for it."""
        if record.current is None or not package.wait:
            return ()
        try:
            return for_removal(History(self.cluster, package.name).read(record.current))
        except ClusterError as error:  # a removal must be possible whatever became of the kept set
            self.report(f"package {package.name}: hooks for its removal, if it has any, do not run: {error}")
            return ()

    def _stored(self, record: Record, release: Release) -> tuple[Manifest, ...]:
        """The objects of an earlier release, with definitions no older than what is stored by them."""
        history = History(self.cluster, record.package)
        stored = history.read(release)
        newest = record.history[-1]
        if release.number == newest.number or not any(map(is_definition, stored)):
            return stored
        newer = history.read(newest)
        resource = known(self.cluster.catalogue().find("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
        found = (
            (each.identity, self.cluster.get(resource, "", each.identity.name))
            for each in stored
            if is_definition(each)
        )
        return with_newer_definitions(stored, newer, {identity: live for identity, live in found if live})

    def _carry_out(self, draft: Draft, keeper: RecordKeeper, turn: Turn) -> Outcome:
        from .carry_out import CarryOut  # noqa: PLC0415  # a run that has nothing to do starts without all of this

        carry_out = CarryOut(self.cluster, self.clock, self.surroundings, self.report, keeper, turn)
        return _outcome(draft, waited=carry_out.run(draft))

    def _carry_out_or_go_back(self, draft: Draft, keeper: RecordKeeper, turn: Turn) -> Outcome:
        try:
            return self._carry_out(draft, keeper, turn)
        except HearthError as error:
            error.details["changed"] = draft.changes
            release, is_theirs = draft.release, error.details.get("reason") == "busy"
            goes_back = draft.package.on_failure == "rollback" and not is_theirs
            if goes_back and release is not None and not release.healthy:
                error.args = (f"{error}\n{self._go_back(error, draft.package, turn)}",)
            raise

    def _go_back(self, error: HearthError, package: Package, turn: Turn) -> str:
        """Put the release before back, and say what is in the cluster now."""
        keeper = RecordKeeper(self.cluster, package.name)
        self.report(f"package {package.name}: failed, going back to the release before")
        try:
            back = self._draft(replace(package, state="previous"), Rendered(), keeper.read())
            self._carry_out(back, keeper, turn)
        except InputError as reason:
            return f"It was not rolled back: {reason}"
        except HearthError as second:
            return f"Going back to the release before failed as well: {second}"
        number = known(back.release).number
        error.details["rolled_back_to"] = number
        return f"Rolled back: release {number} is in the cluster again"


def _outcome(draft: Draft, *, waited: bool = False) -> Outcome:
    return Outcome(draft.package, draft.plan, waited, draft.release.number if draft.release else 0)


def _policy(package: Package) -> Policy:
    return Policy(set_id(package.name), package.force, package.recreate, package.prune, package.prune_also)


def _refuse_conflicts(todo: Plan) -> None:
    """Say everything that stands in the way at once, before anything is written."""
    if not todo.conflicts:
        return
    told = "\n".join(f"- {step.identity}: {step.reason}" for step in todo.conflicts[:10])
    more = f"\nand {len(todo.conflicts) - 10} more" if len(todo.conflicts) > 10 else ""
    raise ClusterError(
        f"package {todo.package}: nothing was changed, because {len(todo.conflicts)} of its objects cannot be applied:"
        f"\n{told}{more}",
        reason="conflict",
        objects=[str(step.identity) for step in todo.conflicts],
        conflicts=[
            {"object": str(step.identity), "field": each.field, "manager": each.manager}
            for step in todo.conflicts
            for each in step.conflicts
        ],
    )
