# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is installed in a cluster, and how it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .._kube.change.drift import Deviation, Drift, deviation_of
from .._kube.change.live import Live, identity_of
from .._kube.change.record import Entry, Record
from .._kube.change.steps import PACKAGE_LABEL
from .._kube.diff import difference
from .._kube.fields import known, text
from .._kube.health.health import health
from .._kube.health.verdict import SETTLED_KINDS, Health, Status, Surroundings, current, failed, in_progress
from .._kube.manifest import Identity, Manifest
from .._kube.parallel import in_parallel
from .._kube.port import Cluster
from .._kube.resources import Collection
from .._kube.server.refusal import RefusedError
from .release.history import History
from .release.record import NAMESPACE, RECORD_LABEL, read_record

_SEEN = current("exists")
_GONE = in_progress("it is not there", "Missing")


@dataclass(frozen=True)
class SeenObject:
    """One object on record. `fields` are those that the next run would set back, where that was asked for."""

    entry: Entry
    deviation: Deviation
    health: Health
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeenPackage:
    """One package. `times` says when each of its releases was made."""

    record: Record
    objects: tuple[SeenObject, ...] = ()
    times: Mapping[int, str] = field(default_factory=dict)

    @property
    def health(self) -> Health:
        """The worst of its objects, in one line about all of them."""
        if not self.objects:
            return Health(Status.UNKNOWN, "not installed", "NotInstalled")
        healths = [each.health for each in self.objects]
        ready = f"{sum(each.is_current for each in healths)} of {len(healths)} objects ready"
        for each in sorted(self.objects, key=lambda one: not one.health.is_failed):
            if not each.health.is_current:
                told = f"{ready}, {each.entry.identity}: {each.health.message}"
                return failed(told, "Failed") if each.health.is_failed else in_progress(told, "InProgress")
        return current(ready)


@dataclass(frozen=True)
class Survey:
    """Looks at packages and writes nothing."""

    cluster: Cluster
    around: Surroundings
    exact: bool = False

    def of(self, names: Iterable[str]) -> list[SeenPackage]:
        """The packages of these names, all by default. One that is not installed has an empty record."""
        records = self._records()
        wanted = list(dict.fromkeys(names)) or sorted(records)
        chosen = [records.get(name, Record(name)) for name in wanted]
        lives = self._lives(chosen)
        return in_parallel(lambda record: self._see(record, lives), chosen)

    def _records(self) -> dict[str, Record]:
        secrets = Collection(known(self.cluster.catalogue().find("v1", "Secret")), NAMESPACE)
        listed = self.cluster.list(secrets, selector=RECORD_LABEL)
        names = {text(live, "metadata", "labels", RECORD_LABEL): live for live in listed}
        return {name: read_record(name, live) for name, live in names.items() if live.get("data")}

    def _lives(self, records: Sequence[Record]) -> Mapping[Identity, Live]:
        """Every object on record, by one LIST for each kind and namespace; those without the label one by one."""
        selector = f"{PACKAGE_LABEL} in ({','.join(record.package for record in records)})"
        identities = {entry.identity for record in records for entry in record.entries}
        found = (self.cluster.catalogue().collection_of(identity) for identity in identities)
        collections = sorted({each for each in found if each is not None}, key=lambda each: each.path)
        lists = in_parallel(
            lambda each: self.cluster.list(each, selector=selector, metadata_only=each.resource.kind in SETTLED_KINDS),
            collections,
        )
        lives = {identity_of(live): live for listed in lists for live in listed}
        rest = sorted(identities - set(lives))
        others = zip(rest, in_parallel(self._get, rest), strict=True)
        return {**lives, **{identity: live for identity, live in others if live is not None}}

    def _get(self, identity: Identity) -> Live | None:
        resource = self.cluster.catalogue().preferred(identity.group, identity.kind)
        return self.cluster.get(resource, identity.namespace, identity.name) if resource else None

    def _see(self, record: Record, lives: Mapping[Identity, Live]) -> SeenPackage:
        stored = self._stored(record)
        times = History(self.cluster, record.package).times() if record.history else {}
        return SeenPackage(
            record,
            tuple(self._see_object(entry, lives.get(entry.identity), stored) for entry in record.entries),
            times,
        )

    def _stored(self, record: Record) -> Mapping[Identity, Manifest]:
        if not self.exact or record.current is None:
            return {}
        return {each.identity: each for each in History(self.cluster, record.package).read(record.current)}

    def _see_object(self, entry: Entry, live: Live | None, stored: Mapping[Identity, Manifest]) -> SeenObject:
        deviation = deviation_of(entry, live)
        manifest = stored.get(entry.identity)
        if live is None:
            return SeenObject(entry, deviation, _GONE)
        fields = self._fields(manifest) if manifest and deviation.drift in (Drift.CHANGED, Drift.REPLACED) else ()
        verdict = _SEEN if entry.identity.kind in SETTLED_KINDS else health(live, self.around)
        if deviation.drift is Drift.TERMINATING:
            verdict = Health(Status.TERMINATING, "being deleted", "Deleted")
        return SeenObject(entry, deviation, verdict, fields)

    def _fields(self, manifest: Manifest) -> tuple[str, ...]:
        """What the next run would set back, as the server predicts it by dry run."""
        resource = self.cluster.catalogue().find(manifest.api_version, manifest.kind)
        identity = manifest.identity
        live = self.cluster.get(resource, identity.namespace, identity.name) if resource else None
        if resource is None or live is None:
            return ()
        try:
            predicted = self.cluster.apply(resource, manifest.content, force=True, dry_run=True)
        except RefusedError:
            return ()  # a field that cannot be changed any more: the next run of the package says so
        return difference(live, predicted).paths
