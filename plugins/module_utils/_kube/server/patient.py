# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A cluster whose moments of weakness are outlasted.

Overload (429), a new leader of etcd, a server that has just started: such an answer says that the question is fine and
the time is not. Every request of this collection may be sent twice, so it is asked again for a while. Any other answer
is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..._errors import ClusterError
from ..change.live import Live
from ..patience import Clock, patiently
from ..port import Changes, Cluster, Page
from ..resources import Catalogue, Collection, Resource
from .refusal import Reason, RefusedError, retry_delay

Answer = TypeVar("Answer")
_SECONDS = 45.0


def _delay(error: ClusterError, attempt: int) -> float | None:
    is_busy = isinstance(error, RefusedError) and error.reason is Reason.BUSY
    return retry_delay(error, attempt) if is_busy else None


@dataclass(frozen=True)
class PatientCluster:
    """The port `Cluster` in front of another one."""

    cluster: Cluster
    clock: Clock

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        return patiently(ask, clock=self.clock, seconds=_SECONDS, delay=_delay)

    def version(self) -> str:
        return self._ask(self.cluster.version)

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        return self._ask(lambda: self.cluster.catalogue(fresh=fresh))

    def may(self, verb: str, resource: Resource, namespace: str) -> bool:
        return self._ask(lambda: self.cluster.may(verb, resource, namespace))

    def get(self, resource: Resource, namespace: str, name: str) -> Live | None:
        return self._ask(lambda: self.cluster.get(resource, namespace, name))

    def list(self, collection: Collection, *, selector: str = "", metadata_only: bool = False) -> Sequence[Live]:
        return self._ask(lambda: self.cluster.list(collection, selector=selector, metadata_only=metadata_only))

    def apply(
        self, resource: Resource, content: Live, *, force: bool = False, dry_run: bool = False, manager: str = ""
    ) -> Live:
        return self._ask(lambda: self.cluster.apply(resource, content, force=force, dry_run=dry_run, manager=manager))

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        grace_period: int | None = None,
        dry_run: bool = False,
    ) -> bool:
        return self._ask(
            lambda: self.cluster.delete(
                resource,
                namespace,
                name,
                uid=uid,
                propagation=propagation,
                grace_period=grace_period,
                dry_run=dry_run,
            )
        )

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: str,
        dry_run: bool = False,
        manager: str = "",
    ) -> Live:
        return self._ask(
            lambda: self.cluster.patch(resource, namespace, name, patch, kind=kind, dry_run=dry_run, manager=manager)
        )

    def watch(self, collections: Sequence[Collection], *, selector: str = "") -> Changes:
        return self.cluster.watch(collections, selector=selector)

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 20) -> str:
        return self.cluster.logs(namespace, pod, container, previous=previous, lines=lines)

    def evict(self, namespace: str, pod: str, *, uid: str, grace_period: int | None = None) -> str:
        return self._ask(lambda: self.cluster.evict(namespace, pod, uid=uid, grace_period=grace_period))

    def page(self, path: str) -> Page:
        return self.cluster.page(path)
