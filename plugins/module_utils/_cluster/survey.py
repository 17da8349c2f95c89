# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A look at the whole cluster through its API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .._kube.change.live import Live
from .._kube.fields import known
from .._kube.health.health import health
from .._kube.health.verdict import Health, Surroundings
from .._kube.parallel import in_parallel
from .._kube.port import Cluster, Page
from .._kube.resources import Collection, Resource
from .._kube.server.refusal import Reason, RefusedError
from .deprecation import Requested, Written, kinds_to_look_at, requested_in, written_in_old_versions

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class ApisInUse:
    """Which APIs are in use that go; nothing is known where these credentials may not look, or nobody looked."""

    requests_known: bool = False
    requested: list[Requested] = field(default_factory=list)
    objects_known: bool = False
    objects: list[Written] = field(default_factory=list)


@dataclass(frozen=True)
class Picture:
    """What the API server shows."""

    version: str
    readiness: Page
    nodes: Sequence[Live]
    pods: Sequence[Live]
    workloads: Sequence[Live]
    workloads_known: bool
    around: Surroundings
    apis: ApisInUse

    @property
    def failing_checks(self) -> list[str]:
        lines = self.readiness.text.splitlines()
        return [line[3:].partition(" ")[0] for line in lines if line.startswith("[-]")]

    def ill_pods(self) -> Iterator[tuple[Live, Health]]:
        return self._ill(self.pods)

    def ill_workloads(self) -> Iterator[tuple[Live, Health]]:
        return self._ill(self.workloads)

    def _ill(self, lives: Iterable[Live]) -> Iterator[tuple[Live, Health]]:
        judged = ((live, health(live, self.around)) for live in lives)
        return ((live, verdict) for live, verdict in judged if not verdict.is_current)


@dataclass(frozen=True)
class Survey:
    """Looks at one cluster and changes nothing."""

    cluster: Cluster
    surroundings: Callable[[], Surroundings]

    def look(self, *, with_apis: bool = True) -> Picture:
        version = self.cluster.version()
        readiness = self.cluster.page("/readyz?verbose")
        nodes, pods = in_parallel(
            lambda kind: self.cluster.list(Collection(self._kind("v1", kind), "")), ("Node", "Pod")
        )
        workloads, all_known = self._as_allowed([self._kind("apps/v1", kind) for kind in _WORKLOADS])
        apis = self._apis(version) if with_apis else ApisInUse()
        return Picture(version, readiness, nodes, pods, workloads, all_known, self.surroundings(), apis)

    def _apis(self, version: str) -> ApisInUse:
        """What is counted by the API server, and what is on record in the objects of all kinds that lose a version."""
        metrics = self.cluster.page("/metrics")
        catalogue = self.cluster.catalogue()
        found = (catalogue.preferred(*each) for each in kinds_to_look_at(version))
        objects, all_known = self._as_allowed([resource for resource in found if resource], metadata_only=True)
        return ApisInUse(
            metrics.status == 200,
            requested_in(metrics.text) if metrics.status == 200 else [],
            all_known,
            written_in_old_versions(objects, version),
        )

    def _kind(self, api_version: str, kind: str) -> Resource:
        return known(self.cluster.catalogue().find(api_version, kind))

    def _as_allowed(self, resources: Sequence[Resource], *, metadata_only: bool = False) -> tuple[list[Live], bool]:
        """All objects of these kinds that one may list, and whether that is all of them."""

        def listed(resource: Resource) -> Sequence[Live] | None:
            try:
                return self.cluster.list(Collection(resource, ""), metadata_only=metadata_only)
            except RefusedError as error:
                if error.reason is Reason.FORBIDDEN:
                    return None
                raise

        lists = in_parallel(listed, resources)
        return [live for lives in lists for live in lives or ()], None not in lists
