# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The workloads behind pods, and the wait until they run somewhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .._errors import NotReadyError
from .._kube.change.live import Live, identity_of
from .._kube.fields import conditions, integer, mapping, text
from .._kube.health.health import health
from .._kube.health.verdict import Surroundings
from .._kube.health.wait import Report, Waiter, still_there
from .._kube.manifest import Identity
from .._kube.patience import Clock
from .._kube.port import Cluster
from .._kube.resources import Collection
from .._kube.selector import selector_of
from .drain import controller_of

# They are done when they are done, not when their pods run again.
_RUN_TO_AN_END = frozenset({"Job", "CronJob"})
_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass
class Workloads:
    """What stands behind the pods of one cluster; nothing is asked twice."""

    cluster: Cluster
    _known: dict[str, Live | None] = field(default_factory=dict)

    def of(self, pods: Iterable[Live]) -> list[Live]:
        """The workloads that made these pods, each once: a Deployment rather than its ReplicaSet."""
        found = {}
        for pod in pods:
            root = self._root_of(pod)
            if root is not None and text(root, "kind") not in _RUN_TO_AN_END:
                found[identity_of(root)] = root
        return [found[identity] for identity in sorted(found)]

    def _root_of(self, pod: Live) -> Live | None:
        above, root = self._maker_of(pod), None
        while above is not None:
            above, root = self._maker_of(above), above
        return root

    def _maker_of(self, live: Live) -> Live | None:
        owner = controller_of(live)
        if owner is None:
            return None
        uid = text(owner, "uid")
        if uid not in self._known:
            resource = self.cluster.catalogue().find(text(owner, "apiVersion"), text(owner, "kind"))
            namespace = text(live, "metadata", "namespace")
            self._known[uid] = self.cluster.get(resource, namespace, text(owner, "name")) if resource else None
        return self._known[uid]


@dataclass(frozen=True)
class Elsewhere:
    """Waits until workloads whose pods were moved are as healthy as they were."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report

    def healthy_of(self, workloads: Sequence[Live]) -> list[Identity]:
        """Those that have now what is asked of them afterwards."""
        around = self.surroundings()
        return [identity_of(each) for each in workloads if health(each, around).is_current and self._has_its_pods(each)]

    def wait(self, identities: Sequence[Identity], seconds: float) -> list[Identity]:
        """Return those that are healthy in the end, which is all but the ones that were deleted meanwhile."""
        deadline = self.clock.deadline(seconds)
        waiter = Waiter(self.cluster, self.clock, self.surroundings, self.report, were_healthy=True)
        while True:
            waiter.until_healthy(identities, selector="", seconds=max(deadline - self.clock.now(), 1.0))
            # A controller that has not noticed yet that its pods are gone still reports them.
            lives = {each: still_there(self.cluster, each) for each in identities}
            there = {each: live for each, live in lives.items() if live is not None}
            lacking = [each for each, live in there.items() if not self._has_its_pods(live)]
            if not lacking:
                return list(there)
            if self.clock.now() >= deadline:
                names = ", ".join(map(str, lacking))
                raise NotReadyError(
                    f"After {seconds:.0f} seconds pods are missing of {names}; look at the events of these",
                    reason="timeout",
                    objects=[str(each) for each in lacking],
                )
            self.clock.sleep(_SECONDS_BETWEEN_LOOKS)

    def _has_its_pods(self, live: Live) -> bool:
        pods, selector = self.cluster.catalogue().find("v1", "Pod"), mapping(live, "spec", "selector")
        is_counted = "matchLabels" in selector or "matchExpressions" in selector
        if pods is None or not is_counted or "replicas" not in mapping(live, "spec"):
            return True  # nothing says how many there must be
        found = self.cluster.list(Collection(pods, identity_of(live).namespace), selector=str(selector_of(selector)))
        return sum(map(_serves, found)) >= integer(live, "spec", "replicas")


def _serves(pod: Live) -> bool:
    return not text(pod, "metadata", "deletionTimestamp") and text(conditions(pod), "Ready", "status") == "True"
