# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A look at the whole cluster through its API server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._kube.change.live import Live
from .._kube.fields import known
from .._kube.health.health import health
from .._kube.health.verdict import Health, Surroundings
from .._kube.parallel import in_parallel
from .._kube.port import Cluster, Page
from .._kube.resources import Collection
from .._kube.server.refusal import Reason, RefusedError
from .deprecation import Requested, Written, kinds_to_look_at, requested_in, written_in_old_versions


@dataclass(frozen=True)
class Picture:
    """What the API server shows; a page that these credentials may not read is known by its status."""

    version: str
    readiness: Page
    metrics: Page
    nodes: Sequence[Live]
    pods: Sequence[Live]
    around: Surroundings
    written: Sequence[Written]
    written_known: bool = True

    @property
    def failing_checks(self) -> list[str]:
        lines = self.readiness.text.splitlines()
        return [line[3:].partition(" ")[0] for line in lines if line.startswith("[-]")]

    @property
    def requested(self) -> list[Requested]:
        return requested_in(self.metrics.text) if self.metrics.status == 200 else []

    def ill_pods(self) -> list[tuple[Live, Health]]:
        judged = ((pod, health(pod, self.around)) for pod in self.pods)
        return [(pod, verdict) for pod, verdict in judged if not verdict.is_current]


@dataclass(frozen=True)
class Survey:
    """Looks at one cluster and changes nothing."""

    cluster: Cluster
    surroundings: Callable[[], Surroundings]

    def look(self) -> Picture:
        version = self.cluster.version()
        readiness, metrics = in_parallel(self.cluster.page, ("/readyz?verbose", "/metrics"))
        catalogue = self.cluster.catalogue()
        nodes, pods = in_parallel(
            lambda kind: self.cluster.list(Collection(known(catalogue.find("v1", kind)), "")), ("Node", "Pod")
        )
        lists = self._lists_to_look_at(version)
        objects = [live for lives in lists for live in lives or ()]
        written = written_in_old_versions(objects, version)
        return Picture(version, readiness, metrics, nodes, pods, self.surroundings(), written, None not in lists)

    def _lists_to_look_at(self, version: str) -> list[Sequence[Live] | None]:
        """The objects, without their content, of all kinds of which a version goes; None where one may not look."""
        catalogue = self.cluster.catalogue()
        found = (catalogue.preferred(*each) for each in kinds_to_look_at(version))
        collections = [Collection(resource, "") for resource in found if resource]
        return in_parallel(self._metadata, collections)

    def _metadata(self, collection: Collection) -> Sequence[Live] | None:
        try:
            return self.cluster.list(collection, metadata_only=True)
        except RefusedError as error:
            if error.reason is Reason.FORBIDDEN:
                return None
            raise
