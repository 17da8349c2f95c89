# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Carries a drain out: cordon, evict, wait until the pods are gone and serve elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from .._errors import ClusterError, HearthError, NotReadyError
from .._kube.change.live import Live, identity_of, uid_of
from .._kube.fields import integer, known, sequence, text
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Report
from .._kube.manifest import Identity
from .._kube.parallel import in_parallel
from .._kube.patience import Clock
from .._kube.port import Cluster
from .._kube.resources import Collection
from .change import Wish
from .drain import DrainPlan, Fate, Policy, Sight, Verdict, counted, foretold, plan_drain, refusal_text
from .node import (
    AWAITED,
    DRAIN,
    NO_DRAIN,
    awaited_by_drain,
    is_cordoned,
    is_cordoned_by_drain,
    is_ready,
    name_of,
    note_of_awaited,
    word_of_drain,
)
from .workloads import Elsewhere, Workloads

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_REPORTS = 5.0

_SEEN = (
    ("v1", "Node"),
    ("v1", "Pod"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "PersistentVolume"),
)


def sight_of(cluster: Cluster) -> Sight:
    """All that a drain has to look at, as it is now."""
    catalogue = cluster.catalogue()
    resources = [catalogue.find(*kind) for kind in _SEEN]
    found = in_parallel(lambda each: cluster.list(Collection(each, "")) if each else (), resources)
    return Sight(*found)


@dataclass(frozen=True)
class Order:
    """How a node shall be drained; a `wait_seconds` of 0 is not to wait for the health of what was moved."""

    policy: Policy = field(default_factory=Policy)
    seconds: float = 300.0
    wait_seconds: float = 300.0
    grace_period: int | None = None


@dataclass(frozen=True)
class Drained:
    """What became of the pods, and which workloads were waited for, or were not because they were ill before.

    Those that an earlier run has moved, and could not wait for, are waited for as well.
    """

    plan: DrainPlan
    healthy: tuple[Identity, ...] = ()
    ill_before: tuple[Identity, ...] = ()
    came_back: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drainer:
    """Empties nodes of one cluster. `mark` is asked to close and to open the node again.

    While it works the node has the `word` of this run. Another run that takes the node over leaves its own there, or
    none once it is done; what becomes of the node is its affair then.
    """

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report
    mark: Callable[[Live, Wish], None]
    word: str

    def look(self, node: str, policy: Policy) -> DrainPlan:
        return plan_drain(node, sight_of(self.cluster), policy)

    def plan(self, node: str, policy: Policy) -> DrainPlan:
        """What a drain would do; an error that names everything that stands in its way."""
        plan = self.look(node, policy)
        if plan.refused:
            obstacles = [
                {"pod": verdict.name, "option": each.option, "reason": each.reason}
                for verdict in plan.refused
                for each in verdict.refused
            ]
            raise ClusterError(refusal_text(plan), reason="obstacles", obstacles=obstacles)
        return plan

    def drain(self, node: Live, order: Order, *, was_cordoned: bool) -> Drained:
        plan = self.plan(name_of(node), order.policy)
        foretold(plan, self.report)
        awaited_before = awaited_by_drain(node) if was_cordoned and order.wait_seconds else []
        # One that has nothing to do patches nothing: it leaves no word, for there is nothing that it would take back.
        has_work = plan.leaving or not was_cordoned or word_of_drain(node) or awaited_before
        self.mark(node, Wish(cordoned=True, annotations={DRAIN: self.word} if has_work else {}))
        with self._opened_again_on_failure(node, was_cordoned):
            # Pods may have come between the look and the cordon; from here on none comes.
            plan = self.plan(name_of(node), order.policy)
            returning = [verdict.pod for verdict in plan.leaving if verdict.returns]
            workloads = Workloads(self.cluster).of(returning) if order.wait_seconds else []
            elsewhere = Elsewhere(self.cluster, self.clock, self.surroundings, self._line(node))
            healthy = elsewhere.healthy_of(workloads) if workloads else []
            awaited = sorted({*healthy, *awaited_before})
            if healthy:
                self.mark(node, Wish(annotations={AWAITED: note_of_awaited(awaited)}))
            self._empty(node, plan, order)
            moved = self._wait_elsewhere(node, elsewhere, awaited, order.wait_seconds) if awaited else []
        with suppress(HearthError):  # the node is empty; a word that stays is replaced or taken away by the next run
            self._let_go(node, Wish(annotations=NO_DRAIN))
        ill_before = tuple(sorted({identity_of(each) for each in workloads} - set(awaited)))
        return Drained(plan, tuple(moved), ill_before, self._came_back(node, plan))

    def _came_back(self, node: Live, plan: DrainPlan) -> tuple[str, ...]:
        """Pods that have come to the cordoned node: they tolerate the cordon, or are bound to the node by its name."""
        if not plan.leaving:
            return ()
        there = self.look(name_of(node), Policy()).verdicts
        known_before = {uid_of(verdict.pod) for verdict in plan.verdicts}
        return tuple(each.name for each in there if each.must_move and uid_of(each.pod) not in known_before)

    @contextmanager
    def _opened_again_on_failure(self, node: Live, was_cordoned: bool) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # While it stays closed, what was moved is still to be waited for.
            closed, opened = Wish(annotations={DRAIN: None}), Wish(cordoned=False, annotations=NO_DRAIN)
            try:
                found = self._let_go(node, closed if was_cordoned else opened)
                said = "stays cordoned, as it was before" if was_cordoned else self._what_became_of(found)
            except HearthError as another:
                said = f"is still cordoned: {another}"
            if isinstance(error, HearthError):
                error.args = (f"{error}\nNode {name_of(node)} {said}",)
            raise

    def _let_go(self, node: Live, wish: Wish) -> Live:
        """End the drain of a node, which is only in our hands while it has our word; return it as it was found."""
        found = self.cluster.get(known(self.cluster.catalogue().find("v1", "Node")), "", name_of(node)) or {}
        if word_of_drain(found) == self.word:
            self.mark(node, replace(wish, cordoned=None) if _is_cordoned_by_somebody(found) else wish)
        return found

    def _what_became_of(self, found: Live) -> str:
        """Say what became of a node that was to be opened again, from how it was found."""
        if word_of_drain(found) != self.word:
            return "is left as it is, for another run has drained it meanwhile"
        if _is_cordoned_by_somebody(found):
            return "stays cordoned, as somebody else has asked for meanwhile"
        return "is uncordoned again, as it was before"

    def _empty(self, node: Live, plan: DrainPlan, order: Order) -> None:
        """Ask every pod to go, again and again where its budget does not let it yet, until all are gone."""
        started, deadline = self.clock.now(), self.clock.deadline(order.seconds)
        next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
        leaving = plan.leaving
        while True:
            left = [(verdict, said) for verdict in leaving if (said := self._nudge(verdict, order))]
            if not left:
                return
            now = self.clock.now()
            if now >= deadline:
                raise self._too_late(node, left, order.seconds)
            if now >= next_report:
                gone = f"{len(plan.leaving) - len(left)} of {counted(plan.leaving, 'pod')} gone"
                self._line(node)(f"{gone}, waiting for {left[0][1]} ({now - started:.0f} s)")
                next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
            leaving = [verdict for verdict, _said in left]
            self.clock.sleep(_SECONDS_BETWEEN_LOOKS)

    def _nudge(self, verdict: Verdict, order: Order) -> str:
        """Ask a pod to go unless it is going; what it waits for, nothing once it is gone."""
        live = self._read(verdict)
        if live is not None and not text(live, "metadata", "deletionTimestamp"):
            held = self._ask_to_go(verdict, order)
            live = self._read(verdict)
            if live is not None and held:
                return f"pod {verdict.name}: {held}"
        return _words_of_going(verdict.name, live) if live else ""

    def _read(self, verdict: Verdict) -> Live | None:
        """The pod, None where it is gone, even if another one has its name now."""
        pods = known(self.cluster.catalogue().find("v1", "Pod"))
        live = self.cluster.get(pods, text(verdict.pod, "metadata", "namespace"), name_of(verdict.pod))
        return live if live and uid_of(live) == uid_of(verdict.pod) else None

    def _ask_to_go(self, verdict: Verdict, order: Order) -> str:
        namespace, name, uid = text(verdict.pod, "metadata", "namespace"), name_of(verdict.pod), uid_of(verdict.pod)
        if verdict.fate is Fate.DELETE:
            pods = known(self.cluster.catalogue().find("v1", "Pod"))
            self.cluster.delete(pods, namespace, name, uid=uid, grace_period=order.grace_period)
            return ""
        return self.cluster.evict(namespace, name, uid=uid, grace_period=order.grace_period)

    def _too_late(self, node: Live, left: Sequence[tuple[Verdict, str]], seconds: float) -> NotReadyError:
        many = "are" if len(left) > 1 else "is"
        told = "; ".join(said for _verdict, said in left)
        hint = "" if is_ready(node) else "; the node is not Ready, so nobody there can report that a pod has ended"
        return NotReadyError(
            f"After {seconds:.0f} seconds {counted(left, 'pod')} {many} still on node {name_of(node)}: {told}{hint}."
            " Raise drain_timeout if they only need longer",
            reason="timeout",
            pods=[verdict.name for verdict, _said in left],
        )

    def _wait_elsewhere(
        self, node: Live, elsewhere: Elsewhere, workloads: Sequence[Identity], seconds: float
    ) -> list[Identity]:
        self._line(node)(f"empty, waiting for the health of {counted(workloads, 'workload')} elsewhere")
        try:
            return elsewhere.wait(workloads, seconds)
        except NotReadyError as error:
            said = f"Node {name_of(node)} is empty, but what ran there is not healthy elsewhere. {error}"
            raise NotReadyError(said, **error.details) from error

    def _line(self, node: Live) -> Report:
        return lambda line: self.report(f"node {name_of(node)}: {line}")


def _is_cordoned_by_somebody(node: Live) -> bool:
    return is_cordoned(node) and not is_cordoned_by_drain(node)


def _words_of_going(name: str, live: Live) -> str:
    finalizers = [str(each) for each in sequence(live, "metadata", "finalizers")]
    if finalizers:
        return f"pod {name}, held by the finalizer {' and '.join(finalizers)}; look at what should remove it"
    grace = integer(live, "metadata", "deletionGracePeriodSeconds")
    return f"pod {name}, which is ending" + (f" and may take {grace} s for it" if grace else "")
