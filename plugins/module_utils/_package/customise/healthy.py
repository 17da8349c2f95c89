# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. When objects are healthy, in the operator's own words, and which objects that is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._errors import InputError
from ..._kube.health.expectation import Expectation, condition_holds
from ..._kube.manifest import Identity, Manifest
from ..._kube.query import Query
from ..._kube.targets import Target, near_misses
from ..options import Options, text
from .patches import read_target


@dataclass(frozen=True)
class Healthy:
    """One expectation and the objects it is about. `place` says where the operator wrote it."""

    place: str
    target: Target
    expectation: Expectation


def read_healthy(value: Any, place: str) -> Healthy:
    options = Options(value, place)
    target = options.need("target", read_target)
    where, condition = options.take("where", _query, None), options.take("condition", _condition, None)
    hopeless = options.take("failed", _query, None)
    options.finish()
    holds = where or condition
    if holds is None or (where and condition):
        raise options.fail("must have either where, a JMESPath expression, or condition, the type of one of its status")
    return Healthy(place, target, Expectation(holds, hopeless))


def _query(value: Any, place: str) -> Query:
    return Query(text(value, place), place)


def _condition(value: Any, place: str) -> Query:
    return condition_holds(text(value, place), place)


def refuse_unmet(wanted: Iterable[Healthy], manifests: Sequence[Manifest]) -> None:
    """An expectation that is about no object is a mistake."""
    contents = [manifest.content for manifest in manifests]
    for each in wanted:
        if not any(each.target.fits(content) for content in contents):
            raise InputError(f"{each.place}: no object matches {each.target}; {near_misses(each.target, contents)}")


def expected_of(wanted: Iterable[Healthy], manifests: Iterable[Manifest]) -> Mapping[Identity, tuple[Expectation, ...]]:
    """The expectations of each object that has any."""
    rules = tuple(wanted)
    found = {
        manifest.identity: tuple(each.expectation for each in rules if each.target.fits(manifest.content))
        for manifest in manifests
    }
    return {identity: expectations for identity, expectations in found.items() if expectations}
