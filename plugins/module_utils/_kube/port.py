# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What this collection asks of a cluster.

``client.py`` answers with a real API server, the tests' FakeCluster from memory; one contract suite holds for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from .change.live import Live
from .resources import Catalogue, Collection, Resource


class Changes(Protocol):
    """Objects as they change, from the moment of asking on. Used as a context manager, so that its connections end."""

    def next(self, seconds: float) -> Live | None:
        """The next changed object, None when none changes for so long. A deleted one has a deletionTimestamp."""

    def __enter__(self) -> Changes: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Page:
    """What the API server answers at a path that is no object."""

    status: int
    text: str


class Cluster(Protocol):
    """Every refusal is a RefusedError, every failure to reach the server a ClusterError."""

    def version(self) -> str:
        """The server's version, for example v1.36.3+k3s1."""

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        """The kinds that the cluster serves, asked once unless `fresh`."""

    def may(self, verb: str, resource: Resource, namespace: str) -> bool:
        """Whether these credentials have a right; `*` as the verb, the group and the plural means all of them."""

    def get(self, resource: Resource, namespace: str, name: str) -> Live | None:
        """One object, None where it does not exist."""

    def list(self, collection: Collection, *, selector: str = "", metadata_only: bool = False) -> Sequence[Live]:
        """The objects of a collection. Listed objects carry apiVersion and kind."""

    def apply(
        self, resource: Resource, content: Live, *, force: bool = False, dry_run: bool = False, manager: str = ""
    ) -> Live:
        """Server-side apply with the collection's field manager; returns the object as it then is."""

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
        """Delete an object; false where there is none. With a uid only that very object is deleted.

        `grace_period` are the seconds that a pod gets to end, in place of what it says itself.
        """

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
        """Patch an object; `kind` is `json` (RFC 6902), `merge` (RFC 7386) or `strategic`.

        What changes is `manager`'s from then on. A merge patch with a resourceVersion changes that version alone.
        """

    def watch(self, collections: Sequence[Collection], *, selector: str = "") -> Changes:
        """Changes of all objects of these collections, beginning with the objects that exist."""

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 20) -> str:
        """The last lines that a container wrote; empty where they cannot be had."""

    def evict(self, namespace: str, pod: str, *, uid: str, grace_period: int | None = None) -> str:
        """Ask for the pod of this uid to go, as its disruption budgets allow it.

        The answer is empty when it goes or is gone already; otherwise it says why it does not go yet.
        """

    def page(self, path: str) -> Page:
        """What the server tells about itself, for example at /metrics or /readyz, even if that is a refusal."""
