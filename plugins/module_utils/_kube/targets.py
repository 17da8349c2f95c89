# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which objects a patch is meant for, and what is close to a target that meets none.

As in kustomize, group, version, kind, name and namespace are regular expressions that must fit the whole value; labels
and annotations are selectors. ``where`` is a JMESPath expression over the object. All that is given must fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .._errors import InputError
from .fields import group_of, mapping, text
from .near_miss import did_you_mean
from .query import Query
from .selector import Selector

# In the order in which a person is likely to have mistaken them.
PATTERNS: Final = ("name", "namespace", "kind", "version", "group")

_SHOWN: Final = 5


@dataclass(frozen=True)
class Target:
    """The conditions on an object; what is empty does not matter."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    labels: Selector = field(default_factory=Selector)
    annotations: Selector = field(default_factory=Selector)
    where: Query | None = None

    def fits(self, document: Mapping[str, Any]) -> bool:
        facts = _facts(document)
        if not all(re.fullmatch(pattern, facts[name]) for name, pattern in self.patterns.items()):
            return False
        metadata = mapping(document, "metadata")
        if not self.labels.fits(mapping(metadata, "labels")):
            return False
        if not self.annotations.fits(mapping(metadata, "annotations")):
            return False
        return self.where is None or self.where.holds_for(document)

    def __str__(self) -> str:
        conditions = {**self.patterns, "labels": self.labels, "annotations": self.annotations, "where": self.where}
        return ", ".join(
            f"{name}={wanted}" for name, wanted in conditions.items() if wanted is not None and str(wanted)
        )


def check_pattern(pattern: str) -> str:
    """Return a regular expression that can be compiled, or say why it cannot."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


def near_misses(target: Target, documents: Sequence[Mapping[str, Any]]) -> str:
    """Say which one condition keeps a target that meets nothing from meeting something."""
    for name, loosened in _loosened(target):
        close = [document for document in documents if loosened.fits(document)]
        if close and name == "name":
            return did_you_mean(target.patterns[name], (_facts(document)[name] for document in close))
        if close and str(loosened):
            return f"without {name} it would meet {_listed(close)}"
    kinds = {text(document, "kind") for document in documents}
    return f"kinds in this package: {did_you_mean(target.patterns.get('kind', ''), kinds)}"


def _loosened(target: Target) -> Iterable[tuple[str, Target]]:
    """Return the target without one of its conditions, for each of them."""
    for name in PATTERNS:
        if name in target.patterns:
            yield name, replace(target, patterns={key: one for key, one in target.patterns.items() if key != name})
    if target.labels.requirements:
        yield "labels", replace(target, labels=Selector())
    if target.annotations.requirements:
        yield "annotations", replace(target, annotations=Selector())
    if target.where is not None:
        yield "where", replace(target, where=None)


def _listed(documents: Sequence[Mapping[str, Any]]) -> str:
    shown = ", ".join(_named(document) for document in documents[:_SHOWN])
    return f"{shown} and {len(documents) - _SHOWN} more" if len(documents) > _SHOWN else shown


def _facts(document: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "group": group_of(document),
        "version": text(document, "apiVersion").rpartition("/")[2],
        "kind": text(document, "kind"),
        "name": text(document, "metadata", "name"),
        "namespace": text(document, "metadata", "namespace"),
    }


def _named(document: Mapping[str, Any]) -> str:
    facts = _facts(document)
    place = f"{facts['namespace']}/" if facts["namespace"] else ""
    return f"{facts['kind']} {place}{facts['name']}"
