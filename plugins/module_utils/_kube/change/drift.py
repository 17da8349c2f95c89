# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How an object differs from what is on record about it, told from its metadata alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..fields import mapping, sequence, text
from .live import FIELD_MANAGER, Live, own_entry, owned_digest, uid_of
from .record import Entry


class Drift(StrEnum):
    """NONE is the empty word, so that it is false."""

    NONE = ""
    MISSING = "missing"  # it was deleted
    REPLACED = "replaced"  # it was deleted, and somebody made another one of that name
    CHANGED = "changed"  # somebody set fields that the package had set
    TERMINATING = "terminating"  # it is being deleted
    UNFINISHED = "unfinished"  # a run was interrupted before it got there


@dataclass(frozen=True)
class Deviation:
    """What became of one object. `managers` are those who changed it since it was applied."""

    drift: Drift = Drift.NONE
    managers: tuple[str, ...] = ()


def deviation_of(entry: Entry, live: Live | None) -> Deviation:
    """Compare an object with its entry in a record."""
    if entry.is_pending:
        return Deviation(Drift.UNFINISHED)
    if live is None:
        return Deviation(Drift.MISSING)
    if uid_of(live) != entry.uid:
        return Deviation(Drift.REPLACED, _others_since(live, ""))
    if "deletionTimestamp" in mapping(live, "metadata"):
        return Deviation(Drift.TERMINATING)
    if owned_digest(live) != entry.owned:
        return Deviation(Drift.CHANGED, _others_since(live, text(own_entry(live), "time")))
    return Deviation()


def _others_since(live: Live, applied: str) -> tuple[str, ...]:
    """Who else set fields of the object after a time; its status is its controller's, and no deviation.

    The API server notes no time for who scales an object.
    """
    others = {
        text(each, "manager")
        for each in sequence(live, "metadata", "managedFields")
        if text(each, "subresource") != "status" and (text(each, "time") or applied) >= applied
    }
    return tuple(sorted(others - {FIELD_MANAGER}))
