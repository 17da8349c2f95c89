# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Where the elements of a merged list stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Identity = tuple[Any, ...]


@dataclass
class Slot:
    """One element of the list: where it stood in the object, and where the patch names it."""

    identity: Identity
    value: Any
    origin: int | None = None
    rank: int | None = None


def agrees(wanted: Identity, found: Identity) -> bool:
    """Whether an identity fits another one; what it leaves open (None) fits everything."""
    return all(one is None or one == other for one, other in zip(wanted, found, strict=True))


def arranged(slots: Sequence[Slot], *, append: bool) -> list[Any]:
    """Return the values in their order: the ranked ones by rank, each other one before the ranked one it stood before.

    To append is to leave all that was there in its place, and to put what is new behind it.
    """
    ranked = sorted((slot for slot in slots if slot.rank is not None), key=lambda slot: slot.rank or 0)
    others = sorted((slot for slot in slots if slot.rank is None), key=lambda slot: slot.origin or 0)
    if append:
        others = sorted((slot for slot in slots if slot.origin is not None), key=lambda slot: slot.origin or 0)
        return [slot.value for slot in others] + [slot.value for slot in ranked if slot.origin is None]
    placed: list[Any] = []
    for slot in ranked:
        while others and slot.origin is not None and (others[0].origin or 0) < slot.origin:
            placed.append(others.pop(0).value)
        placed.append(slot.value)
    return placed + [slot.value for slot in others]


def rank_by(slots: Sequence[Slot], order: Sequence[Identity]) -> bool:
    """Rank all elements by an explicit order; False where the patch names its own elements in another order."""
    named = sorted((slot for slot in slots if slot.rank is not None), key=lambda slot: slot.rank or 0)
    for slot in slots:
        slot.rank = next((place for place, entry in enumerate(order) if agrees(entry, slot.identity)), None)
    places = [slot.rank for slot in named]
    known = [place for place in places if place is not None]
    return len(known) == len(places) and known == sorted(known)
