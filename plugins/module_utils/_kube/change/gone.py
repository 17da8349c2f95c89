# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Wait until what was deleted is gone, for as long as one object after the other goes.

An API server that could not clean up after a deleted CustomResourceDefinition at once, because it was written a moment
before, tries again 5 ms later; if it then reads a copy that is older than its own last write, it leaves the definition
alone until it looks at all of them, which it does every five minutes. A change of the definition makes it look at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._errors import NotReadyError
from ..fields import sequence, text
from ..parallel import in_parallel
from ..patience import Clock
from ..port import Cluster
from ..server.refusal import RefusedError
from .live import Live, uid_of
from .steps import Step

_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_REMINDER = "hearth.cluster/reminded-of-deletion-at"
_SECONDS_BETWEEN_REMINDERS = 10.0
_PAUSE = 0.1
_NAMED = 5


@dataclass(frozen=True)
class Farewell:
    """Waits for deleted objects; `seconds` without any of them going are too many."""

    cluster: Cluster
    clock: Clock
    seconds: float

    def wait(self, steps: Sequence[Step]) -> None:
        waiting = list(steps)
        deadline = self.clock.deadline(self.seconds)
        next_reminder = self.clock.deadline(_SECONDS_BETWEEN_REMINDERS)
        while True:
            lives = in_parallel(self._find, waiting)
            still = [(step, live) for step, live in zip(waiting, lives, strict=True) if live is not None]
            if not still:
                return
            if len(still) < len(waiting):
                deadline = self.clock.deadline(self.seconds)
            elif self.clock.now() > deadline:
                raise self._stuck(still)
            if self.clock.now() >= next_reminder:
                in_parallel(self._remind, still)
                next_reminder = self.clock.deadline(_SECONDS_BETWEEN_REMINDERS)
            waiting = [step for step, _live in still]
            self.clock.sleep(_PAUSE)

    def _find(self, step: Step) -> Live | None:
        """The very object of a step, None when it is gone (another one of the same name does not count)."""
        identity = step.identity
        resource = self.cluster.catalogue().preferred(identity.group, identity.kind)
        live = self.cluster.get(resource, identity.namespace, identity.name) if resource else None
        return live if live is not None and uid_of(live) == step.uid else None

    def _remind(self, left: tuple[Step, Live]) -> None:
        """Change a definition that waits to be cleaned up, so that its API server looks at it again."""
        step, live = left
        resource = self.cluster.catalogue().preferred(step.identity.group, step.identity.kind)
        if resource is None or _CLEANUP not in sequence(live, "metadata", "finalizers"):
            return
        version = text(live, "metadata", "resourceVersion")
        patch = {"metadata": {"uid": step.uid, "annotations": {_REMINDER: version}}}
        try:
            self.cluster.patch(resource, "", step.identity.name, patch, kind="merge")
        except RefusedError:
            return  # it has just gone, or may not be changed by these credentials: then it takes its time

    def _stuck(self, still: Sequence[tuple[Step, Live]]) -> NotReadyError:
        held = [
            f"{step.identity} (finalizers: {', '.join(sequence(live, 'metadata', 'finalizers')) or 'none'})"
            for step, live in still[:_NAMED]
        ]
        more = f" and {len(still) - _NAMED} more" if len(still) > _NAMED else ""
        return NotReadyError(
            f"Deleted and still there, none went in the last {self.seconds:.0f} seconds: {', '.join(held)}{more}."
            " The controller that removes these finalizers must run; start it, or look at its log"
        )
