# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. One run at a time works on a package: who comes second waits, or stops with a clear word.

The turn is a Lease. Each run applies it under a field manager of its own, so that the API server itself refuses the
second one; whoever holds it renews it. A run that was killed does not renew: its turn is over at once where the process
can be seen to be gone, else as soon as the Lease has stood still for its duration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..._errors import ClusterError
from ..._kube.change.live import Live
from ..._kube.fields import known, text
from ..._kube.patience import Clock
from ..._kube.port import Cluster
from ..._kube.resources import Resource
from ..._kube.server.refusal import Reason, RefusedError
from .record import NAMESPACE, secret_name

_SECONDS_OF_A_LEASE = 15
_SECONDS_BETWEEN_RENEWALS = 4.0
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_WAIT = 60.0


@dataclass(frozen=True)
class Runner:
    """Who runs. `name` tells this run from all others, `is_gone` whether another one's process is known to be dead."""

    name: str
    manager: str
    stamp: Callable[[], str]
    is_gone: Callable[[str], bool]


class Turn:
    """The right to change a package, until it is found to be lost."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._is_lost = False

    def lose(self) -> None:
        self._is_lost = True

    def check(self) -> None:
        """Before each stage of writes: somebody else may think that this run is dead."""
        if self._is_lost:
            raise busy(self._package, "another run")


def busy(package: str, who: str) -> ClusterError:
    return ClusterError(
        f"package {package}: {who} is working on this package right now; let it end and run again", reason="busy"
    )


@dataclass(frozen=True)
class Turns:
    cluster: Cluster
    clock: Clock
    runner: Runner
    report: Callable[[str], None]

    @contextmanager
    def take(self, package: str) -> Iterator[Turn]:
        self._acquire(package)
        turn, ended = Turn(package), threading.Event()
        renewer = threading.Thread(target=self._renew, args=(package, turn, ended), daemon=True)
        renewer.start()
        try:
            yield turn
        finally:
            ended.set()
            renewer.join()
            self._give_back(package)

    def _acquire(self, package: str) -> None:
        deadline = self.clock.deadline(_SECONDS_TO_WAIT)
        seen, seen_at = "", self.clock.now()
        is_told = False
        while not self._try(package):
            live = self._read(package)
            version, holder = text(live, "metadata", "resourceVersion"), text(live, "spec", "holderIdentity")
            now = self.clock.now()
            if version != seen:
                seen, seen_at = version, now
            stood_still = now - seen_at >= _SECONDS_OF_A_LEASE
            if live is not None and (stood_still or self.runner.is_gone(holder)):
                if self._try(package, over=version):
                    return
            elif now > deadline:
                raise busy(package, _person(holder))
            if not is_told:
                self.report(f"package {package}: waiting for {_person(holder)}, who is working on it")
                is_told = True
            self.clock.sleep(_SECONDS_BETWEEN_LOOKS)

    def _try(self, package: str, *, over: str = "") -> bool:
        """Take the turn; with a version take it away from who held the Lease in just that version."""
        try:
            self._apply(package, over)
        except RefusedError as error:
            if error.reason in (Reason.CONFLICT, Reason.STALE):
                return False
            raise
        return True

    def _apply(self, package: str, over: str = "") -> None:
        metadata = {"name": secret_name(package), "namespace": NAMESPACE}
        content: dict[str, Any] = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**metadata, "resourceVersion": over} if over else metadata,
            "spec": {
                "holderIdentity": self.runner.name,
                "leaseDurationSeconds": _SECONDS_OF_A_LEASE,
                "renewTime": self.runner.stamp(),
            },
        }
        self.cluster.apply(self._leases(), content, force=bool(over), manager=self.runner.manager)

    def _renew(self, package: str, turn: Turn, ended: threading.Event) -> None:
        while not ended.wait(_SECONDS_BETWEEN_RENEWALS):
            try:
                self._apply(package)
            except RefusedError as error:
                if error.reason is Reason.CONFLICT:
                    turn.lose()
                    return
            except ClusterError:
                continue  # the server is away; the writes of this run wait for it too

    def _give_back(self, package: str) -> None:
        """A turn that cannot be given back ends by itself; that must not hide how the run ended."""
        try:
            live = self._read(package)
            if live is not None and text(live, "spec", "holderIdentity") == self.runner.name:
                uid = text(live, "metadata", "uid")
                self.cluster.delete(self._leases(), NAMESPACE, secret_name(package), uid=uid)
        except ClusterError:
            return

    def _read(self, package: str) -> Live | None:
        return self.cluster.get(self._leases(), NAMESPACE, secret_name(package))

    def _leases(self) -> Resource:
        return known(self.cluster.catalogue().find("coordination.k8s.io/v1", "Lease"))


def _person(holder: str) -> str:
    name = holder.partition("/")[0]
    return f"a run of {name}" if name else "another run"
