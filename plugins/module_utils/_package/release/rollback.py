# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which release a package gets, which one it can go back to, and which ones are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..._errors import InputError
from ..._kube.change.live import Live
from ..._kube.change.record import Record, Release
from ..._kube.fields import sequence, text
from ..._kube.manifest import Identity, Manifest
from ..._kube.resources import is_definition

_KEPT = 3


def release_for(record: Record, *, digest: str, objects: int, parts: int, origin: Mapping[str, str]) -> Release:
    """The release of a rendered set: the current one or the newest one if it is the same set, else a new one."""
    newest = record.history[-1] if record.history else None
    for known in (record.current, newest):
        if known is not None and known.digest == digest:
            moved = known.origin.get("source") != origin.get("source")
            return replace(known, withdrawn=False, origin=dict(origin) if moved else known.origin)
    return Release(newest.number + 1 if newest else 1, digest, objects, parts, origin=dict(origin))


def release_before(record: Record) -> Release:
    """The release to go back to. Who has gone back already stays there, so that asking twice is asking once."""
    current = record.current
    if current is None:
        raise InputError(f"package {record.package}: it is not installed, so there is no release to go back to")
    if any(each.withdrawn and each.number > current.number for each in record.history):
        return current
    earlier = [each for each in record.history if each.number < current.number and not each.withdrawn]
    good = [each for each in earlier if each.healthy] or earlier
    if not good:
        raise InputError(f"package {record.package}: no release before number {current.number} is kept to go back to")
    return good[-1]


def gone_back(record: Record, target: Release) -> Record:
    """The record of who goes back: every later release is withdrawn."""
    history = tuple(replace(each, withdrawn=each.number > target.number or each.withdrawn) for each in record.history)
    return replace(record, history=history, release=target.number)


def trimmed(record: Record) -> Record:
    """The record without releases that nobody will go back to: the newest stay, the current and the last good one."""
    needed = {each.number for each in record.history[-_KEPT:]} | {record.release}
    good = [each.number for each in record.history if each.healthy and each.number < record.release]
    needed.update(good[-1:])
    kept = tuple(each for each in record.history if each.number in needed)
    return record if kept == record.history else replace(record, history=kept)


def with_newer_definitions(
    stored: Sequence[Manifest], current: Iterable[Manifest], live: Mapping[Identity, Live]
) -> tuple[Manifest, ...]:
    """The stored set, but a definition stays as new as it is where objects are stored in a version it would lose."""
    newer = {each.identity: each for each in current if is_definition(each)}

    def chosen(manifest: Manifest) -> Manifest:
        if not is_definition(manifest) or manifest.identity not in newer:
            return manifest
        offered = {text(version, "name") for version in sequence(manifest.content, "spec", "versions")}
        in_use = set(sequence(live.get(manifest.identity), "status", "storedVersions"))
        return manifest if in_use <= offered else newer[manifest.identity]

    return tuple(map(chosen, stored))
