# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Lets a node that has returned have its share of the pods, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._kube.change.live import Live, identity_of, uid_of
from .._kube.fields import text
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Report
from .._kube.patience import Clock
from .._kube.port import Cluster
from .balance import due, maker_of, next_to_move
from .drain import counted, pod_name
from .drainer import sight_of
from .node import name_of
from .workloads import Elsewhere, Workloads


@dataclass(frozen=True)
class Balancer:
    """Evicts pods of one cluster as their budgets allow it; each is healthy elsewhere before the next one goes."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report

    def due(self, node: str) -> int:
        return due(node, sight_of(self.cluster))

    def balance(self, node: str, seconds: float) -> tuple[str, ...]:
        """Give a node its share; the pods that left their node for that."""
        lacking, asked, gone = self.due(node), set[str](), list[str]()
        self.report(f"node {node}: {counted(range(lacking), 'pod')} short of its share")
        while len(gone) < lacking:
            pod = next_to_move(node, sight_of(self.cluster), asked)
            if pod is None:
                break
            asked.add(maker_of(pod))
            workloads = Workloads(self.cluster).of([pod])
            held = self._why_it_stays(pod, workloads)
            self.report(f"node {node}: pod {pod_name(pod)} {f'stays; {held}' if held else 'is evicted'}")
            if not held:
                gone.append(pod_name(pod))
                self._elsewhere.wait([identity_of(each) for each in workloads], seconds)
        return tuple(gone)

    def _why_it_stays(self, pod: Live, workloads: Sequence[Live]) -> str:
        """Ask a pod to go unless its workload lacks one already; what keeps it, nothing where it goes."""
        healthy = self._elsewhere.healthy_of(workloads)
        ill = [str(each) for each in map(identity_of, workloads) if each not in healthy]
        if ill:
            return f"{' and '.join(ill)} is not healthy now"
        return self.cluster.evict(text(pod, "metadata", "namespace"), name_of(pod), uid=uid_of(pod))

    @property
    def _elsewhere(self) -> Elsewhere:
        return Elsewhere(self.cluster, self.clock, self.surroundings, self.report)
