# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Watch objects until all are healthy, or until waiting cannot help any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..._errors import NotReadyError
from ..change.live import Live, identity_of
from ..fields import text
from ..manifest import Identity
from ..patience import Clock
from ..port import Cluster
from ..resources import Catalogue, Collection
from .diagnose import Diagnosis, diagnose
from .expectation import Expectation, judge
from .health import Health, Surroundings
from .verdict import SETTLED_KINDS

_SECONDS_BETWEEN_LOOKS_AT_PODS = 2.0
_SECONDS_BETWEEN_REPORTS = 5.0

Report = Callable[[str], None]


def still_there(cluster: Cluster, identity: Identity) -> Live | None:
    """An object, unless somebody has deleted it, also where it waits for others to go first."""
    resource = cluster.catalogue().preferred(identity.group, identity.kind)
    live = cluster.get(resource, identity.namespace, identity.name) if resource else None
    return None if live is None or text(live, "metadata", "deletionTimestamp") else live


@dataclass
class Waiter:
    """Waits for objects. `report` gets a line about what is still missing, now and then.

    `expected` are the operator's own words about when some of the objects are healthy. `were_healthy` is said of
    objects whose pods were only moved: what troubles them may pass, so they have time until the end, and one that is
    deleted meanwhile is not waited for any more.
    """

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report = field(default=lambda _line: None)
    expected: Mapping[Identity, Sequence[Expectation]] = field(default_factory=dict)
    were_healthy: bool = False

    def until_healthy(
        self, identities: Iterable[Identity], *, selector: str, seconds: float
    ) -> Mapping[Identity, Health]:
        """Return every object's health when all are Current; NotReadyError says what is wrong otherwise."""
        waiting = {each for each in identities if each in self.expected or each.kind not in SETTLED_KINDS}
        healths: dict[Identity, Health] = {}
        if not waiting:
            return healths
        started = self.clock.now()
        deadline = started + seconds
        next_look = self.clock.deadline(_SECONDS_BETWEEN_LOOKS_AT_PODS)
        next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
        lives: dict[Identity, Live] = {}
        around = self.surroundings()
        with self.cluster.watch(_collections(waiting, self.cluster.catalogue()), selector=selector) as changes:
            while True:
                pause = min(next_look, deadline) - self.clock.now()
                changed = changes.next(pause)
                if changed is not None and identity_of(changed) in waiting:
                    lives[identity_of(changed)] = changed
                    healths[identity_of(changed)] = self._judge(changed, around)
                missing = _missing(waiting, healths)
                if not missing:
                    return healths
                now = self.clock.now()
                if now >= next_look:
                    around = self.surroundings()
                    healths.update({identity: self._judge(live, around) for identity, live in lives.items()})
                    if self.were_healthy:
                        waiting -= {
                            each for each in _missing(waiting, healths) if still_there(self.cluster, each) is None
                        }
                    else:
                        self._give_up_early([lives[each] for each in _missing(waiting, healths) if each in lives])
                    next_look = self.clock.deadline(_SECONDS_BETWEEN_LOOKS_AT_PODS)
                if now >= next_report:
                    self.report(f"{progress(waiting, healths)} ({now - started:.0f} s)")
                    next_report = self.clock.deadline(_SECONDS_BETWEEN_REPORTS)
                if now >= deadline:
                    raise self._too_late(_missing(waiting, healths), lives, healths, seconds)

    def _judge(self, live: Live, around: Surroundings) -> Health:
        return judge(live, around, self.expected.get(identity_of(live), ()))

    def _give_up_early(self, lives: Sequence[Live]) -> None:
        around = self.surroundings()
        failed = [(live, self._judge(live, around)) for live in lives]
        for live in lives:
            found = diagnose(self.cluster, live, around.now)
            if found is not None and found.doomed:
                raise _not_ready(f"{identity_of(live)} cannot become ready", found, identity_of(live))
        for live, verdict in failed:
            if verdict.is_failed:
                raise _not_ready(f"{identity_of(live)} failed: {verdict.message}", None, identity_of(live))

    def _too_late(
        self,
        missing: Sequence[Identity],
        lives: Mapping[Identity, Live],
        healths: Mapping[Identity, Health],
        seconds: float,
    ) -> NotReadyError:
        parts = [self._why_missing(identity, lives, healths) for identity in missing[:5]]
        more = f"\n- and {len(missing) - 5} more" if len(missing) > 5 else ""
        told = "".join(f"\n- {part}" for part in parts)
        return NotReadyError(
            f"After {seconds:.0f} seconds {len(missing)} of the objects are not ready"
            f" (raise wait_timeout if they only need longer):{told}{more}",
            reason="timeout",
            objects=[str(identity) for identity in missing],
        )

    def _why_missing(
        self, identity: Identity, lives: Mapping[Identity, Live], healths: Mapping[Identity, Health]
    ) -> str:
        if identity not in lives:
            return f"{identity}: it is not there"
        found = diagnose(self.cluster, lives[identity], self.surroundings().now)
        return f"{identity}: {found.full_text if found else healths[identity].message}"


def _missing(waiting: Iterable[Identity], healths: Mapping[Identity, Health]) -> list[Identity]:
    return sorted(each for each in waiting if each not in healths or not healths[each].is_current)


def _collections(identities: Iterable[Identity], catalogue: Catalogue) -> list[Collection]:
    found = {catalogue.collection_of(identity) for identity in identities}
    return sorted((each for each in found if each is not None), key=lambda each: each.path)


def _not_ready(message: str, found: Diagnosis | None, identity: Identity) -> NotReadyError:
    told = f": {found.full_text}" if found else ""
    return NotReadyError(
        f"{message}{told}", reason=found.reason if found else "failed", object=str(identity), doomed=True
    )


def progress(waiting: Iterable[Identity], healths: Mapping[Identity, Health]) -> str:
    """One line: how many of how many are ready, and what the first of the others waits for."""
    everything = list(waiting)
    missing = _missing(everything, healths)
    ready = f"{len(everything) - len(missing)} of {len(everything)} objects ready"
    if not missing:
        return ready
    said = healths[missing[0]].message if missing[0] in healths else "not seen yet"
    return f"{ready}, waiting for {missing[0]}: {said}"
