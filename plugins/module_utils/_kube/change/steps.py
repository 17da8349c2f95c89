# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The values that a plan is made of, and those that it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..fields import known
from ..manifest import Identity, Manifest
from ..server.refusal import FieldConflict, RefusedError
from .field_path import without
from .live import Live, label_of, uid_of
from .record import Entry

if TYPE_CHECKING:
    from .claims import Claim
    from .growth import Growth

PACKAGE_LABEL = "hearth.cluster/package"
SET_LABEL = "applyset.kubernetes.io/part-of"

# Deleting one of these deletes what it holds, so a package must name them before that happens.
PROTECTED_KINDS = frozenset({"CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim"})


class Verb(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    ADOPT = "adopt"
    KEEP = "keep"
    PRUNE = "prune"
    CONFLICT = "conflict"


WRITING = frozenset({Verb.CREATE, Verb.UPDATE, Verb.RECREATE, Verb.ADOPT})


@dataclass(frozen=True)
class Step:
    """What is due for one object, and why."""

    verb: Verb
    identity: Identity
    manifest: Manifest | None = None
    before: Live | None = None
    after: Live | None = None
    fields: tuple[str, ...] = ()
    reason: str = ""
    force: bool = False
    conflicts: tuple[FieldConflict, ...] = ()
    left: tuple[FieldConflict, ...] = ()  # fields that stay as others set them
    growth: tuple[Growth, ...] = ()  # claims to grow first
    given_up: bool = False  # stays in the cluster and is no longer this package's business

    @property
    def uid(self) -> str:
        return uid_of(self.before) if self.before else ""

    @property
    def content(self) -> Mapping[str, Any]:
        """What is to be applied."""
        return without(known(self.manifest).content, [conflict.field for conflict in self.left])


@dataclass(frozen=True)
class Plan:
    """All steps for one package, in the order of its manifests, prunes last."""

    package: str
    steps: tuple[Step, ...] = ()

    @property
    def changed(self) -> bool:
        return any(step.verb is not Verb.KEEP for step in self.steps)

    @property
    def conflicts(self) -> tuple[Step, ...]:
        return self.of(Verb.CONFLICT)

    @property
    def writes(self) -> tuple[Step, ...]:
        return self.of(*WRITING)

    @property
    def prunes(self) -> tuple[Step, ...]:
        return self.of(Verb.PRUNE)

    def of(self, *verbs: Verb) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.verb in verbs)

    def counts(self) -> dict[str, int]:
        found = Counter(step.verb for step in self.steps)
        return {verb.value: found[verb] for verb in Verb}


@dataclass(frozen=True)
class Policy:
    """What a package allows. `set_id` is the value of the label that marks its objects."""

    set_id: str
    claims: tuple[Claim, ...] = ()
    recreate: bool = False
    prune: bool = True
    prune_also: frozenset[str] = frozenset()  # kinds, or kind/name, among the protected ones


@dataclass(frozen=True)
class Observation:
    """What was learnt about one object that could have changed.

    `predicted` is the server's answer to a dry run; where none could be asked, `unpredicted` says why.
    """

    live: Live | None = None
    predicted: Live | None = None
    refusal: RefusedError | None = None
    unpredicted: str = ""
    overruled: tuple[FieldConflict, ...] = ()
    left: tuple[FieldConflict, ...] = ()
    growth: tuple[Growth, ...] = ()
    obstacle: str = ""


@dataclass(frozen=True)
class Triage:
    """Which objects need a closer look. `known` are unchanged beyond doubt."""

    known: Mapping[Identity, Live]
    doubtful: tuple[Manifest, ...]
    leftovers: tuple[Entry, ...]

    @property
    def is_clean(self) -> bool:
        return not self.doubtful and not self.leftovers


def owned_by(live: Live, owner: str) -> str:
    package = label_of(live, PACKAGE_LABEL)
    who = f"the package {package}" if package else f"another tool (its set is {owner})"
    return f"belongs to {who}"
