# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Carry out a plan: stage by stage, several objects at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..._errors import ClusterError, NotReadyError
from ..fields import known
from ..health.health import health
from ..manifest import Identity, Manifest
from ..parallel import AT_ONCE, in_parallel
from ..patience import Clock, patiently
from ..port import Cluster
from ..resources import Resource, is_definition
from ..server.refusal import Reason, RefusedError, retry_delay
from .gone import Farewell
from .live import Live
from .order import Stage, defined_kinds, deletion_rank, stage_of
from .steps import Plan, Step, Verb
from .takeover import takeover_patch

# Every definition that is written makes the server rebuild its API description; more at once only queue up.
_DEFINITIONS_AT_ONCE = 3
_SECONDS_TO_RETRY = 120.0
_SECONDS_TO_BE_SERVED = 60.0
_SECONDS_FOR_NEW_SCHEMA = 20.0
_PAUSE = 0.1

Gate = Callable[[Stage], None]


def _no_gate(_stage: Stage) -> None:
    """Nothing to wait for between stages."""


@dataclass(frozen=True)
class Applier:
    """Writes what a plan says. `gate` is called before each later stage that has something to write.

    `seconds_to_go` is how long deleted objects may take until the next one of them is gone.
    """

    cluster: Cluster
    clock: Clock
    seconds_to_go: float
    gate: Gate = _no_gate

    def write(
        self, plan: Plan, desired: Sequence[Manifest], *, among: Collection[Identity] | None = None
    ) -> Mapping[Identity, Live]:
        """Carry out everything but the prunes, all or only `among` these; returns the objects as they then are."""
        defined = defined_kinds(desired)
        new_kinds = defined_kinds(step.manifest for step in plan.writes if step.manifest)
        written: dict[Identity, Live] = {}
        for stage in Stage:
            of_stage = (step for step in plan.writes if stage_of(step.identity, defined) is stage)
            steps = [step for step in of_stage if among is None or step.identity in among]
            if not steps:
                continue
            self.gate(stage)
            at_once = _DEFINITIONS_AT_ONCE if stage is Stage.FOUNDATION else AT_ONCE
            lives = in_parallel(lambda step: self._write_one(step, new_kinds), steps, at_once=at_once)
            written.update(zip((step.identity for step in steps), lives, strict=True))
            if stage is Stage.FOUNDATION:
                self._await_definitions(steps, desired)
        return written

    def _write_one(self, step: Step, new_kinds: frozenset[tuple[str, str]]) -> Live:
        manifest = known(step.manifest)
        resource = self.cluster.catalogue().of(manifest)
        if step.verb is Verb.RECREATE:
            return self._recreate(step, resource)
        if step.verb is Verb.ADOPT:
            self._take_over(step, resource)
        is_new_kind = (step.identity.group, step.identity.kind) in new_kinds
        return self._apply(resource, step.content, force=step.force, is_new_kind=is_new_kind)

    def _take_over(self, step: Step, resource: Resource) -> None:
        """Make the fields of the tool that made an object ours, so that the apply removes what is not wanted."""
        identity = step.identity

        def take_over() -> None:
            live = self.cluster.get(resource, identity.namespace, identity.name)
            patch = takeover_patch(live) if live else []
            if patch:
                self.cluster.patch(resource, identity.namespace, identity.name, patch, kind="json")

        def delay(error: ClusterError, attempt: int) -> float | None:
            if isinstance(error, RefusedError) and error.reason is Reason.STALE:
                return _PAUSE  # somebody else wrote in between: read it again
            return retry_delay(error, attempt)

        patiently(take_over, clock=self.clock, seconds=_SECONDS_TO_RETRY, delay=delay)

    def _apply(self, resource: Resource, content: Live, *, force: bool = False, is_new_kind: bool = False) -> Live:
        def delay(error: ClusterError, attempt: int) -> float | None:
            # A server needs a moment until a definition that was just written is known everywhere.
            if is_new_kind and isinstance(error, RefusedError) and error.reason in (Reason.MISFIT, Reason.NOT_FOUND):
                return 0.5 if attempt < _SECONDS_FOR_NEW_SCHEMA / 0.5 else None
            if isinstance(error, RefusedError) and error.reason is Reason.STALE:
                return _PAUSE  # others write to the object all the time; what we apply does not depend on that
            return retry_delay(error, attempt)

        return patiently(
            lambda: self.cluster.apply(resource, content, force=force),
            clock=self.clock,
            seconds=_SECONDS_TO_RETRY,
            delay=delay,
        )

    def _recreate(self, step: Step, resource: Resource) -> Live:
        manifest, before = known(step.manifest), known(step.before)
        propagation = "Orphan" if step.identity.kind == "StatefulSet" else "Background"
        identity = step.identity
        self._grow(step)
        self.cluster.delete(resource, identity.namespace, identity.name, uid=step.uid, propagation=propagation)
        self._await_gone([step])
        try:
            return self._apply(resource, manifest.content, force=True)
        except ClusterError:
            self._apply(resource, _as_it_was(before), force=True)  # better the old object than none
            raise

    def _grow(self, step: Step) -> None:
        claims = known(self.cluster.catalogue().find("v1", "PersistentVolumeClaim"))
        for growth in step.growth:
            self.cluster.patch(claims, step.identity.namespace, growth.claim, growth.patch, kind="merge")

    def _await_definitions(self, steps: Sequence[Step], desired: Sequence[Manifest]) -> None:
        definitions = [step for step in steps if step.manifest and is_definition(step.manifest)]
        if not definitions:
            return
        deadline = self.clock.deadline(_SECONDS_TO_BE_SERVED)
        for step in definitions:
            self._await_established(step, deadline)
        while missing := [each for each in desired if not self.cluster.catalogue().serves(each)]:
            if self.clock.now() > deadline:
                raise NotReadyError(
                    f"The API server does not serve {missing[0].api_version} {missing[0].kind} although its definition"
                    f" is there ({missing[0]}); is this version marked as served in the CustomResourceDefinition?"
                )
            self.clock.sleep(_PAUSE)
            self.cluster.catalogue(fresh=True)

    def _await_established(self, step: Step, deadline: float) -> None:
        resource = self.cluster.catalogue().of(known(step.manifest))
        while True:
            live = self.cluster.get(resource, "", step.identity.name)
            verdict = health(live or {})
            if live is not None and verdict.is_current:
                return
            if verdict.is_failed or self.clock.now() > deadline:
                raise NotReadyError(f"{step.identity} was applied and is not accepted: {verdict.message}")
            self.clock.sleep(_PAUSE)

    def prune(self, steps: Sequence[Step], *, wait: bool) -> None:
        """Delete what a plan prunes; custom resources first and waited for, as their operators clean up after them."""
        ranks = sorted({deletion_rank(step.identity) for step in steps})
        for rank in ranks:
            of_rank = [step for step in steps if deletion_rank(step.identity) == rank]
            in_parallel(self._delete, of_rank)
            if rank == 0 and len(ranks) > 1:
                self._await_gone(of_rank)
        if wait:
            self._await_gone(steps)

    def _delete(self, step: Step) -> None:
        identity = step.identity
        resource = self.cluster.catalogue().preferred(identity.group, identity.kind)
        if resource is None:
            return  # its definition is gone, and it went with that
        patiently(
            lambda: self.cluster.delete(resource, identity.namespace, identity.name, uid=step.uid),
            clock=self.clock,
            seconds=_SECONDS_TO_RETRY,
        )

    def _await_gone(self, steps: Sequence[Step]) -> None:
        Farewell(self.cluster, self.clock, self.seconds_to_go).wait(steps)


def _as_it_was(live: Live) -> Live:
    metadata = {
        key: value for key, value in live["metadata"].items() if key in ("name", "namespace", "labels", "annotations")
    }
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}
