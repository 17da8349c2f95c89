# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whose word counts about a field that a package and somebody else both want to set.

What people change by hand is taken back. What a package claims (its option ``force``) it gets. Fields that are known
to be filled in by others are left to them: the certificate of a webhook, the replicas that an autoscaler sets. About
anything else the operator must decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..server.refusal import FieldConflict
from .field_path import covers

# Tools with which people change objects by hand, and the collection itself under its other names.
_HANDS = re.compile(
    r"^(kubectl.*|kluctl.*|k9s|rancher|helm|Mozilla|node-fetch|unknown|before-first-apply|OpenAPI-Generator"
    r"|Python-urllib3|Swagger-Codegen|ansible.*|deploy@.*|hearth.*)(/.*)?$"
)
_SCALE = "/scale"  # an autoscaler writes through this subresource


@dataclass(frozen=True, slots=True)
class Claim:
    """Fields that a package takes from a manager; no manager means any, no fields mean all."""

    manager: str = ""
    fields: tuple[str, ...] = ()

    def holds_for(self, conflict: FieldConflict) -> bool:
        names = (conflict.manager, conflict.manager.partition("/")[0])
        is_theirs = not self.manager or any(fnmatchcase(name, self.manager) for name in names)
        return is_theirs and (not self.fields or any(covers(path, conflict.field) for path in self.fields))


EVERYTHING = (Claim(),)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of conflicts: `taken` are overruled, `left` are not applied, `open` nobody has decided about."""

    taken: tuple[FieldConflict, ...] = ()
    left: tuple[FieldConflict, ...] = ()
    open: tuple[FieldConflict, ...] = ()


def judge(conflicts: Iterable[FieldConflict], claims: Iterable[Claim]) -> Verdict:
    taken, left, undecided = [], [], []
    wanted = tuple(claims)
    for conflict in conflicts:
        if _HANDS.match(conflict.manager) or any(claim.holds_for(conflict) for claim in wanted):
            taken.append(conflict)
        elif _is_filled_in(conflict):
            left.append(conflict)
        else:
            undecided.append(conflict)
    return Verdict(tuple(taken), tuple(left), tuple(undecided))


def _is_filled_in(conflict: FieldConflict) -> bool:
    is_certificate = conflict.field.endswith(".caBundle")
    return is_certificate or (conflict.field == ".spec.replicas" and conflict.manager.endswith(_SCALE))
