# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The order that objects ask for by kapp's annotations, which some upstreams ship.

``kapp.k14s.io/change-group: NAME`` puts an object into a group, ``kapp.k14s.io/change-rule: upsert after upserting
NAME`` makes it wait for the group. Both may be there several times, with a suffix (``change-rule.migrate``). Rules
speak of objects that are applied (upsert) or deleted; ``before`` turns a rule around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..._errors import InputError
from ..fields import mapping, text
from ..graph import stages
from ..manifest import Manifest

_GROUP: Final = "kapp.k14s.io/change-group"
_RULE: Final = "kapp.k14s.io/change-rule"

_WORDING: Final = re.compile(
    r"(?P<verb>upsert|delete)\s+(?P<order>before|after)\s+(?P<other>upserting|deleting)\s+(?P<group>\S+)"
)
_VERBS: Final = {"upserting": "upsert", "deleting": "delete"}


@dataclass(frozen=True)
class Rule:
    """When an object is applied or deleted, compared with when a group is."""

    verb: str
    is_before: bool
    other: str
    group: str


def change_groups(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the groups that an object is in."""
    return frozenset(_annotations(document, _GROUP).values())


def change_rules(document: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of an object, or say which one cannot be read."""
    rules: list[Rule] = []
    for name, value in _annotations(document, _RULE).items():
        match = _WORDING.fullmatch(value.strip())
        if match is None:
            raise InputError(
                f"{text(document, 'kind')} {text(document, 'metadata', 'name')}: annotation {name} is {value!r}; "
                "write it like 'upsert after upserting GROUP'"
            )
        rules.append(Rule(match["verb"], match["order"] == "before", _VERBS[match["other"]], match["group"]))
    return tuple(rules)


def dependencies(documents: Sequence[Mapping[str, Any]], verb: str) -> dict[int, list[int]]:
    """Return which objects each object waits for, by their places, when all of them are applied or all are deleted."""
    groups = [change_groups(document) for document in documents]
    needs: dict[int, list[int]] = {place: [] for place in range(len(documents))}
    for place, document in enumerate(documents):
        for rule in change_rules(document):
            if (rule.verb, rule.other) != (verb, verb):
                continue
            for other, members in enumerate(groups):
                if rule.group in members and other != place:
                    waits, first = (other, place) if rule.is_before else (place, other)
                    needs[waits].append(first)
    return {place: sorted(set(found)) for place, found in needs.items()}


def waves(manifests: Sequence[Manifest]) -> list[list[Manifest]]:
    """Return the objects in the order in which their rules let them be applied; one wave where there are no rules."""
    needs = dependencies([manifest.content for manifest in manifests], "upsert")
    if not any(needs.values()):
        return [list(manifests)]
    by_identity = {manifest.identity: manifest for manifest in manifests}
    named = {
        manifests[place].identity: [manifests[first].identity for first in found] for place, found in needs.items()
    }
    return [[by_identity[identity] for identity in stage] for stage in stages(named)]


def _annotations(document: Mapping[str, Any], name: str) -> dict[str, str]:
    found = mapping(document, "metadata", "annotations")
    return {key: str(value) for key, value in found.items() if key == name or key.startswith(f"{name}.")}
