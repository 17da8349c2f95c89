# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Makes claims use the copies of their data that lie on another node.

Every step leaves the cluster so that the next run sees where this one was, and the data are on both nodes all the time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .._errors import ClusterError, HearthError, NotReadyError
from .._kube.change.live import Live, identity_of, uid_of
from .._kube.fields import known, sequence, text
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Report
from .._kube.manifest import Identity
from .._kube.patience import Clock
from .._kube.port import Cluster
from .._kube.resources import Resource
from .._kube.server.refusal import Reason, RefusedError
from .drain import pod_name
from .drainer import sight_of
from .node import AWAITED, is_cordoned, name_of, note_of_awaited
from .volumes import (
    RECORD,
    Move,
    MovePlan,
    directory_of,
    old_copies,
    plan_moves,
    record_for,
    record_of,
    users_of,
    without_old_copies,
)
from .workloads import Elsewhere, Workloads

_PROTECTION = "kubernetes.io/pv-protection"
_MANAGER = "hearth-volume"
_SECONDS_TO_TAKE_EFFECT = 60.0
_SECONDS_BETWEEN_LOOKS = 0.5


class Before(StrEnum):
    """How a workload was before its pods were stopped."""

    WELL = "well"
    ILL = "ill"
    UNKNOWN = "unknown"  # an earlier run had stopped it


@dataclass(frozen=True)
class Served:
    """Which workloads are healthy where their data are now, and which are not waited for because they were ill before.

    Of those in doubt nobody knows how they were; they were waited for, and what keeps them from being healthy is told.
    """

    healthy: tuple[Identity, ...] = ()
    ill_before: tuple[Identity, ...] = ()
    in_doubt: tuple[tuple[Identity, str], ...] = ()


@dataclass(frozen=True)
class Mover:
    """Works on the volumes of one cluster; the data are copied by others before."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report

    def plan(self, node: str) -> MovePlan:
        return plan_moves(node, sight_of(self.cluster))

    def address_of(self, node: str) -> str:
        """The address at which the other nodes reach this one: of several, the one of the cluster's first family."""
        found = sequence(self.cluster.get(self._kind("Node"), "", node), "status", "addresses")
        return next((text(each, "address") for each in found if text(each, "type") == "InternalIP"), "")

    def health_of_users(self, plan: MovePlan) -> dict[str, Before]:
        """How the workloads are that use the volumes; to be asked before their pods are stopped."""
        users, workloads = self._users(plan), Workloads(self.cluster)
        lives = workloads.of(pod for _move, pod in users)
        healthy = self._elsewhere.healthy_of(lives) if lives else []
        # Those whose data have moved were stopped for it, and may be about to start.
        stopped_before = [pod for move, pod in users if move.is_copied or _is_stopped(pod)]
        stopped = [identity_of(each) for each in workloads.of(stopped_before)]
        return {
            str(each): Before.WELL if each in healthy else Before.UNKNOWN if each in stopped else Before.ILL
            for each in map(identity_of, lives)
        }

    def move(self, plan: MovePlan, to: str, seconds: float, before: Mapping[str, str] | None = None) -> Served:
        """Make every claim of a plan use its copy on the other node, and wait until the workloads are healthy there.

        A workload of which nothing is said must become healthy. While they are waited for the node has a note of those
        that must: the drain that begins the next run waits for them if this one is cut short.
        """
        target = known(self.cluster.get(self._kind("Node"), "", to))
        for move in plan.moves:
            self.report(f"claim {move.claim}: its volume {move.volume} is on node {to} from now on, in {move.new_path}")
            if not move.is_copied:
                self._take_away(move, plan.node, target)
            self._put_back(move)
        users = Workloads(self.cluster).of(pod for _move, pod in self._users(plan))
        was = {each: (before or {}).get(str(each), Before.WELL) for each in map(identity_of, users)}
        with self._noted(plan.node, [each for each in was if seconds and was[each] == Before.WELL]):
            for move in plan.moves:
                self._annotate(self._claim_of(move), RECORD, None)
            return self._wait(was, seconds)

    def forget_old_copies(self, node: str) -> None:
        """Note that what was left behind on a node is there no more."""
        sight = sight_of(self.cluster)
        for volume in sight.volumes:
            if any(each.node == node for each in old_copies([volume], sight.claims)):
                patch = without_old_copies(volume, node)
                self.cluster.patch(self._kind("PersistentVolume"), "", name_of(volume), patch, kind="merge")

    def _take_away(self, move: Move, source: str, target: Live) -> None:
        """Write down what the new volume will be, then remove the old one: its data stay, and nobody can use them."""
        claim, volume = self._claim_of(move), known(self._volume_of(move))
        self._refuse_users(move)
        record = record_for(claim, volume, move, source, target)
        self._annotate(claim, RECORD, json.dumps(record))
        self._change("PersistentVolume", volume, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        self.cluster.delete(self._kind("PersistentVolume"), "", move.volume, uid=uid_of(volume))

    def _put_back(self, move: Move) -> None:
        """Make the new volume once the old one is gone, and let the claim take it."""
        record = record_of(self._claim_of(move))
        if not record:
            raise ClusterError(f"Somebody else has ended the move of claim {move.claim}; run it again", reason="stale")
        self._eventually(f"volume {move.volume} is still there", lambda: self._is_out_of_the_way(move, record))
        self.cluster.apply(self._kind("PersistentVolume"), record["volume"], force=True, manager=_MANAGER)
        self._eventually(f"claim {move.claim} does not take its volume {move.volume}", lambda: self._is_bound(move))
        policy = {"spec": {"persistentVolumeReclaimPolicy": record["reclaim"]}}
        self._change("PersistentVolume", known(self._volume_of(move)), policy)

    def _is_out_of_the_way(self, move: Move, record: Mapping[str, Any]) -> bool:
        """Whether the old volume is gone. Its protection is for claims whose data would be lost with it."""
        volume = self._volume_of(move)
        if volume is None or directory_of(volume) == directory_of(record["volume"]):
            return True
        kept = [each for each in sequence(volume, "metadata", "finalizers") if each != _PROTECTION]
        try:
            self._change("PersistentVolume", volume, {"metadata": {"finalizers": kept}})
        except RefusedError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
        return self._volume_of(move) is None

    def _is_bound(self, move: Move) -> bool:
        return all(text(each, "status", "phase") == "Bound" for each in (self._claim_of(move), self._volume_of(move)))

    @contextmanager
    def _noted(self, node: str, workloads: Sequence[Identity]) -> Iterator[None]:
        """Note on a closed node that these are waited for, until they are well."""
        live = self.cluster.get(self._kind("Node"), "", node) if workloads else None
        if not live or not is_cordoned(live):
            yield
            return
        self._annotate(live, AWAITED, note_of_awaited(workloads))
        yield
        with suppress(HearthError):  # they are well; a note that stays is satisfied by the next drain at once
            self._annotate(live, AWAITED, None)

    def _wait(self, was: Mapping[Identity, str], seconds: float) -> Served:
        healthy = [each for each in was if was[each] == Before.WELL]
        ill = tuple(each for each in was if was[each] == Before.ILL)
        if not seconds:
            return Served(ill_before=ill)
        deadline, in_doubt = self.clock.deadline(seconds), []
        if healthy:
            healthy = self._elsewhere.wait(healthy, seconds)
        for each in was:
            if was[each] == Before.UNKNOWN:
                try:
                    healthy += self._elsewhere.wait([each], max(deadline - self.clock.now(), 1.0))
                except NotReadyError as error:
                    in_doubt.append((each, str(error)))
        return Served(tuple(healthy), ill, tuple(in_doubt))

    @property
    def _elsewhere(self) -> Elsewhere:
        return Elsewhere(self.cluster, self.clock, self.surroundings, self.report)

    def _users(self, plan: MovePlan) -> list[tuple[Move, Live]]:
        """The pods that use what moves, each with the volume."""
        sight = sight_of(self.cluster)
        return [(move, pod) for move in plan.moves for pod in users_of(move.claim, sight)]

    def _refuse_users(self, move: Move) -> None:
        users = [pod for pod in users_of(move.claim, sight_of(self.cluster)) if text(pod, "spec", "nodeName")]
        if users:
            names = ", ".join(map(pod_name, users))
            raise ClusterError(
                f"The volume of claim {move.claim} stays where it is, pods use it again: {names}. Find out why they"
                " came back to the cordoned node, and run it again",
                reason="in_use",
                pods=list(map(pod_name, users)),
            )

    def _eventually(self, complaint: str, holds: Callable[[], bool]) -> None:
        deadline = self.clock.deadline(_SECONDS_TO_TAKE_EFFECT)
        while not holds():
            if self.clock.now() > deadline:
                raise NotReadyError(
                    f"After {_SECONDS_TO_TAKE_EFFECT:.0f} seconds {complaint}; the data are on both nodes, and the next"
                    " run goes on from here",
                    reason="timeout",
                )
            self.clock.sleep(_SECONDS_BETWEEN_LOOKS)

    def _annotate(self, live: Live, key: str, value: str | None) -> None:
        self._change(text(live, "kind"), live, {"metadata": {"annotations": {key: value}}})

    def _change(self, kind: str, live: Live, patch: Mapping[str, Any]) -> None:
        """Patch the very object that was looked at, not another one of its name."""
        namespace = text(live, "metadata", "namespace")
        body = {**patch, "metadata": {**patch.get("metadata", {}), "uid": uid_of(live)}}
        self.cluster.patch(self._kind(kind), namespace, name_of(live), body, kind="merge", manager=_MANAGER)

    def _claim_of(self, move: Move) -> Live:
        namespace, _slash, name = move.claim.partition("/")
        claim = self.cluster.get(self._kind("PersistentVolumeClaim"), namespace, name)
        if claim is None:
            raise ClusterError(f"Claim {move.claim} was deleted while its volume was moved", reason="not_found")
        return claim

    def _volume_of(self, move: Move) -> Live | None:
        return self.cluster.get(self._kind("PersistentVolume"), "", move.volume)

    def _kind(self, kind: str) -> Resource:
        return known(self.cluster.catalogue().find("v1", kind))


def _is_stopped(pod: Live) -> bool:
    """Whether a pod waits for a node, or ends; its workload is not healthy then, and need not have been ill."""
    return not text(pod, "spec", "nodeName") or bool(text(pod, "metadata", "deletionTimestamp"))
