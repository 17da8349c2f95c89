# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What makes an object healthy in the operator's own words, in place of its kind's rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..._errors import InputError
from ..change.live import Live
from ..query import Query
from .health import health, not_seen_yet
from .verdict import Health, Surroundings, current, failed, in_progress


@dataclass(frozen=True)
class Expectation:
    """`holds` must be true of the object; when `hopeless` is, waiting longer cannot help."""

    holds: Query
    hopeless: Query | None = None

    def verdict(self, live: Live) -> Health:
        if self.hopeless is not None and _is_true(self.hopeless, live):
            return failed(f"{self.hopeless} is true", "Hopeless")
        try:
            if self.holds.holds_for(live):
                return current(f"{self.holds} is true")
        except InputError as error:  # a function can refuse a status that is only half there
            return in_progress(str(error), "Unexpected")
        return in_progress(f"{self.holds} is not true yet", "Unexpected")


def _is_true(query: Query, live: Live) -> bool:
    try:
        return query.holds_for(live)
    except InputError:
        return False


def judge(live: Live, around: Surroundings, expectations: Iterable[Expectation]) -> Health:
    """The health of an object: by the expectations if there are any, else by the rule of its kind."""
    verdicts = [each.verdict(live) for each in expectations]
    if not verdicts:
        return health(live, around)
    unseen = not_seen_yet(live)
    if unseen is not None:
        return unseen
    worst = [each for each in verdicts if each.is_failed] or [each for each in verdicts if not each.is_current]
    return (worst or verdicts)[0]


def condition_holds(condition: str, place: str) -> Query:
    """The query for a condition of an object's status, `Ready` or `Ready=False`."""
    name, _sign, status = condition.partition("=")
    if not name.isalnum():
        raise InputError(f"{place} is {condition!r}; write the type of a condition, for example Ready or Stalled=False")
    return Query(f"status.conditions[?type=='{name}' && status=='{status or 'True'}']", place)
