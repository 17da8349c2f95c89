# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What one apply put into the cluster: the memory that makes the next one exact and fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..manifest import Identity, Manifest
from .live import Live, owned_digest, uid_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a release.

    `desired` is the digest of the manifest, `owned` that of the fields we own as they were right after the apply. An
    entry without uid was written before the object: a run was interrupted between the two.
    """

    identity: Identity
    api_version: str
    uid: str = ""
    desired: str = ""
    owned: str = ""

    @property
    def is_pending(self) -> bool:
        return not self.uid


@dataclass(frozen=True, slots=True)
class Release:
    """One rendered set that was sent to the cluster. It is kept beside the record, to go back to.

    `healthy`: all of it was seen healthy at some time. `withdrawn`: somebody went back to an earlier release.
    """

    number: int
    digest: str
    objects: int
    parts: int
    healthy: bool = False
    withdrawn: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)  # source and its digest: for people and package_info


@dataclass(frozen=True)
class Record:
    """The objects of a package, whether they were seen healthy, and the releases that are kept, the newest last.

    `release` is the number of the one that is in the cluster, or on its way there; 0 is none.
    """

    package: str
    entries: tuple[Entry, ...] = ()
    healthy: bool = False
    release: int = 0
    history: tuple[Release, ...] = ()

    @cached_property
    def by_identity(self) -> Mapping[Identity, Entry]:
        return {entry.identity: entry for entry in self.entries}

    @property
    def current(self) -> Release | None:
        return next((each for each in self.history if each.number == self.release), None)

    @property
    def origin(self) -> Mapping[str, str]:
        return self.current.origin if self.current else {}

    def with_release(self, release: Release) -> Record:
        """This record with a release in the place of the one of its number, as the current one."""
        others = (each for each in self.history if each.number != release.number)
        history = tuple(sorted((*others, release), key=lambda each: each.number))
        return replace(self, release=release.number, history=history)


def applied_entry(manifest: Manifest, live: Live) -> Entry:
    return Entry(manifest.identity, manifest.api_version, uid_of(live), manifest.digest, owned_digest(live))


def superset(record: Record, manifests: Iterable[Manifest]) -> Record:
    """The record as it must be before objects are written, so that the next run is exact whatever happens to this one.

    Objects that it does not know are added as pending: every object that may exist is on record, to be pruned. Of
    objects that are to change it no longer says what they are: the fields we own stay the same when their values
    change, so a run that ends in between would leave behind an object that looks like the one on record.
    """
    wanted = {manifest.identity: manifest for manifest in manifests}
    entries = tuple(
        replace(entry, desired="")
        if entry.identity in wanted and entry.desired not in ("", wanted[entry.identity].digest)
        else entry
        for entry in record.entries
    )
    new = [
        Entry(manifest.identity, manifest.api_version)
        for manifest in wanted.values()
        if manifest.identity not in record.by_identity
    ]
    if not new and entries == record.entries:
        return record
    return replace(record, entries=(*entries, *new), healthy=False)
