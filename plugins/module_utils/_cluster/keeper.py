# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Brings one node into the state that is asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .._errors import ClusterError, InputError, NotReadyError
from .._kube.change.live import Live, uid_of
from .._kube.fields import known, sequence, text
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Report
from .._kube.near_miss import did_you_mean
from .._kube.patience import Clock, patiently
from .._kube.port import Cluster
from .._kube.resources import Collection, Resource
from .._kube.server.refusal import Reason, RefusedError, retry_delay
from .balancer import Balancer
from .change import Wish, cordon_of, merge_patch_for
from .drain import Policy, foretold
from .drainer import Drained, Drainer, Order
from .keepsake import MANAGER, NAMESPACE, Keepsake, keepsake_of, name_of_keepsake, read, written
from .node import DRAIN_MANAGER, NO_DRAIN, NODE_MANAGER, is_cordoned, is_cordoned_by_drain, name_of

_SECONDS_TO_RETRY = 60.0
_PAUSE = 0.1
_SECONDS_BETWEEN_LOOKS = 1.0
_NAMED = 5


@dataclass(frozen=True)
class Task:
    """What is asked for: one node, its state, and the wish that goes with it."""

    name: str
    state: str = "present"
    wish: Wish = field(default_factory=Wish)
    order: Order = field(default_factory=Order)
    delete_undrained: bool = False
    remember: bool = False
    rebalance: bool = False


@dataclass(frozen=True)
class Outcome:
    """The node before and after, None where it is not there; all that is told is read from here.

    `aside` says what is done beside the node: to its password, and to what is kept for the machine that follows.
    """

    before: Live | None
    after: Live | None
    drained: Drained | None = None
    kept_cordon: bool = False
    aside: tuple[str, ...] = ()
    balanced: tuple[str, ...] = ()

    @property
    def pods_move(self) -> bool:
        return bool(self.balanced) or (self.drained is not None and bool(self.drained.plan.leaving))


@dataclass(frozen=True)
class NodeKeeper:
    """Works on the nodes of one cluster; with `check` nothing is written and nothing waited for."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report
    check: bool = False
    word: str = field(default_factory=lambda: secrets.token_hex(8))  # of this run, for the nodes that it drains

    def run(self, task: Task) -> Outcome:
        before = self.cluster.get(self._nodes, "", task.name)
        if task.state == "absent":
            return self._delete(before, task)
        if before is None:
            raise InputError(f"There is no node {task.name} in this cluster; {self._advice(task.name)}")
        if task.state == "drained":
            return self._drain(before, task)
        if task.state == "returned":
            return self._return(before, task)
        if task.state == "restored":
            return self._restore(before)
        return self._make_present(before, task.wish)

    @property
    def _nodes(self) -> Resource:
        return known(self.cluster.catalogue().find("v1", "Node"))

    @property
    def _maps(self) -> Resource:
        return known(self.cluster.catalogue().find("v1", "ConfigMap"))

    @property
    def _secrets(self) -> Resource:
        return known(self.cluster.catalogue().find("v1", "Secret"))

    def _advice(self, name: str) -> str:
        found = self.cluster.list(Collection(self._nodes, ""), metadata_only=True)
        return did_you_mean(name, map(name_of, found))

    def _make_present(self, before: Live, wish: Wish) -> Outcome:
        after = self._fulfil(before, wish, NODE_MANAGER)
        if not wish.cordoned or not is_cordoned_by_drain(after):
            return Outcome(before, after)
        if not self.check:
            after = self._share_cordon(after)
        return Outcome(before, after, aside=("its cordon outlives the drain that has set it",))

    def _share_cordon(self, node: Live) -> Live:
        """Have it on record that the cordon of a drain is wished for as well; an empty patch would leave no record."""
        latest = [node]

        def attempt() -> Live:
            live = latest.pop() if latest else self._read(name_of(node))
            return self.cluster.apply(self._nodes, cordon_of(live), force=True, manager=NODE_MANAGER)

        return patiently(attempt, clock=self.clock, seconds=_SECONDS_TO_RETRY, delay=_delay)

    def _drain(self, before: Live, task: Task) -> Outcome:
        if self.check:
            planned = Drained(self._drainer.plan(task.name, task.order.policy))
            foretold(planned.plan, self.report)
            wished = self._fulfil(before, replace(task.wish, cordoned=True), DRAIN_MANAGER)
            return Outcome(before, wished, planned)
        drained = self._drainer.drain(before, task.order, was_cordoned=is_cordoned(before))
        after = self._fulfil(self._read(task.name), task.wish, NODE_MANAGER)
        return Outcome(before, after, drained)

    def _return(self, before: Live, task: Task) -> Outcome:
        """Take back the cordon of a drain; one that was there before it, or came since, is not ours to lose.

        The notes of a drain go as well: one that was killed leaves them there.
        """
        ours = is_cordoned_by_drain(before)
        annotations = {**task.wish.annotations, **NO_DRAIN}
        wish = replace(task.wish, cordoned=False if ours else None, annotations=annotations)
        after = self._fulfil(before, wish, NODE_MANAGER)
        balanced = self._balance(task) if task.rebalance and not is_cordoned(after) else ()
        return Outcome(before, after, kept_cordon=is_cordoned(before) and not ours, balanced=balanced)

    def _balance(self, task: Task) -> tuple[str, ...]:
        if self.check:
            return ()  # how the pods lie then is not known yet
        balancer = Balancer(self.cluster, self.clock, self.surroundings, self.report)
        return balancer.balance(task.name, task.order.wait_seconds)

    def _delete(self, before: Live | None, task: Task) -> Outcome:
        aside = []
        if before:
            if not task.delete_undrained:
                self._refuse_undrained(task.name, task.order.policy)
            if task.remember:
                self._remember(task.name, keepsake_of(before))
                aside.append("labels and taints are kept for the machine that takes the name")
            self.cluster.delete(self._nodes, "", task.name, uid=uid_of(before), dry_run=self.check)
            if not self.check:
                self._wait_until_gone(before, task.order.seconds)
        if not task.remember and self.cluster.delete(
            self._maps, NAMESPACE, name_of_keepsake(task.name), dry_run=self.check
        ):
            aside.append("what was kept for its successor goes")
        if self.cluster.delete(self._secrets, NAMESPACE, f"{task.name}.node-password.k3s", dry_run=self.check):
            aside.append("its password is forgotten")
        return Outcome(before, None, aside=tuple(aside))

    def _remember(self, name: str, keepsake: Keepsake) -> None:
        """Kept before the node goes; what an earlier replacement has not given back yet is not lost."""
        older = self.cluster.get(self._maps, NAMESPACE, name_of_keepsake(name))
        content = written(name, keepsake.with_older(read(older)) if older else keepsake)
        self.cluster.apply(self._maps, content, force=True, dry_run=self.check, manager=MANAGER)

    def _restore(self, before: Live) -> Outcome:
        name = name_of(before)
        kept = self.cluster.get(self._maps, NAMESPACE, name_of_keepsake(name))
        if kept is None:
            return Outcome(before, before)
        outcome = self._make_present(before, read(kept).wish_for(before))
        self.cluster.delete(self._maps, NAMESPACE, name_of_keepsake(name), dry_run=self.check)
        return replace(outcome, aside=("has again what was kept of the machine before", *outcome.aside))

    def _refuse_undrained(self, name: str, policy: Policy) -> None:
        busy = [verdict for verdict in self._drainer.look(name, policy).verdicts if verdict.must_move]
        if busy:
            more = f" and {len(busy) - _NAMED} more" if len(busy) > _NAMED else ""
            names = ", ".join(verdict.name for verdict in busy[:_NAMED])
            raise ClusterError(
                f"Node {name} is not deleted, pods run on it: {names}{more}; drain it first (state: drained),"
                " or allow it (delete_undrained: true) where the machine is lost",
                reason="undrained",
                pods=[verdict.name for verdict in busy],
            )

    def _wait_until_gone(self, before: Live, seconds: float) -> None:
        name, deadline = name_of(before), self.clock.deadline(seconds)
        while True:
            live = self.cluster.get(self._nodes, "", name)
            if live is None or uid_of(live) != uid_of(before):
                return
            held = " and ".join(map(str, sequence(live, "metadata", "finalizers")))
            if self.clock.now() >= deadline:
                raise NotReadyError(
                    f"After {seconds:.0f} seconds node {name} is still being deleted, held by the finalizer {held};"
                    " look at what should remove it (for a server's: has etcd a quorum, does a leader answer?)",
                    reason="timeout",
                    finalizers=list(sequence(live, "metadata", "finalizers")),
                )
            self.report(f"node {name}: being deleted" + (f", held by the finalizer {held}" if held else ""))
            self.clock.sleep(_SECONDS_BETWEEN_LOOKS)

    def _fulfil(self, node: Live, wish: Wish, manager: str) -> Live:
        """Patch what differs; whoever writes in between is not overwritten, the patch is made anew."""
        latest = [node]

        def attempt() -> Live:
            live = latest.pop() if latest else self._read(name_of(node))
            patch = merge_patch_for(live, wish)
            if not patch:
                return live
            version = {"resourceVersion": text(live, "metadata", "resourceVersion")}
            body = {**patch, "metadata": {**patch.get("metadata", {}), **version}}
            return self.cluster.patch(
                self._nodes, "", name_of(node), body, kind="merge", dry_run=self.check, manager=manager
            )

        return patiently(attempt, clock=self.clock, seconds=_SECONDS_TO_RETRY, delay=_delay)

    def _read(self, name: str) -> Live:
        live = self.cluster.get(self._nodes, "", name)
        if live is None:
            raise ClusterError(f"Node {name} was deleted while it was worked on", reason="not_found")
        return live

    @property
    def _drainer(self) -> Drainer:
        return Drainer(self.cluster, self.clock, self.surroundings, self.report, self._mark, self.word)

    def _mark(self, node: Live, wish: Wish) -> None:
        self._fulfil(self._read(name_of(node)), wish, DRAIN_MANAGER)


def _delay(error: ClusterError, attempt: int) -> float | None:
    if isinstance(error, RefusedError) and error.reason is Reason.STALE:
        return _PAUSE
    return retry_delay(error, attempt)
