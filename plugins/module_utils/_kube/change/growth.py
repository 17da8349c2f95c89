# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The volumes of a StatefulSet, which grow one by one: its templates cannot change.

So the claims that it made are grown first, then it is made anew around its pods, with the larger template.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..fields import sequence, text
from ..manifest import Manifest
from ..quantity import Quantity
from .live import Live

_SIZE = ("spec", "resources", "requests", "storage")


@dataclass(frozen=True, slots=True)
class Growth:
    """One claim that is too small for its template."""

    claim: str
    before: str
    after: str

    @property
    def patch(self) -> dict[str, Any]:
        return {"spec": {"resources": {"requests": {"storage": self.after}}}}

    def __str__(self) -> str:
        return f"{self.claim} from {self.before} to {self.after}"


def growths(manifest: Manifest, live: Live, claims: Iterable[Live]) -> tuple[Growth, ...]:
    """What must grow, among the claims of a namespace, before a StatefulSet can have its larger templates."""
    before = dict(_sizes(live))
    wanted = {name: size for name, size in _sizes(manifest.content) if _is_larger(size, before.get(name, ""))}
    return tuple(growth for claim in claims for growth in _growth_of(claim, manifest.identity.name, wanted))


def _growth_of(claim: Live, owner: str, wanted: Mapping[str, str]) -> Iterator[Growth]:
    name, size = text(claim, "metadata", "name"), text(claim, *_SIZE)
    for template, larger in wanted.items():
        if re.fullmatch(rf"{re.escape(template)}-{re.escape(owner)}-[0-9]+", name) and _is_larger(larger, size):
            yield Growth(name, size, larger)


def _sizes(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for template in sequence(content, "spec", "volumeClaimTemplates"):
        yield text(template, "metadata", "name"), text(template, *_SIZE)


def _is_larger(one: str, other: str) -> bool:
    return bool(one and other) and Quantity.parse(one) > Quantity.parse(other)
