# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What an operator wants of a Node object, and the patch that makes it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import InputError
from .._kube.change.live import Live
from .._kube.fields import mapping, sequence, text
from .._kube.selector import Operator, Requirement
from .node import is_cordoned, taints_of


@dataclass(frozen=True)
class Taint:
    """A taint that shall be there, or shall not; without an effect it stands for all taints of its key."""

    key: str
    effect: str = ""
    value: str = ""
    wanted: bool = True

    def is_about(self, other: Mapping[str, str]) -> bool:
        return self.key == other["key"] and self.effect in ("", other["effect"])


@dataclass(frozen=True)
class Wish:
    """What shall be true of a node; what is not named stays as it is. A label or an annotation of None shall not."""

    cordoned: bool | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    annotations: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.labels.items():
            _check_label(key, value)


def merge_patch_for(node: Live, wish: Wish) -> dict[str, Any]:
    """The patch that fulfils a wish, empty where it is fulfilled."""
    patch: dict[str, Any] = {}
    metadata = {
        kind: changed
        for kind, wanted in (("labels", wish.labels), ("annotations", wish.annotations))
        if (changed := _changed(mapping(node, "metadata", kind), wanted))
    }
    if metadata:
        patch["metadata"] = metadata
    spec: dict[str, Any] = {}
    if wish.cordoned is not None and wish.cordoned != is_cordoned(node):
        spec["unschedulable"] = True if wish.cordoned else None
    before, after = taints_of(node), _tainted(taints_of(node), wish.taints)
    if before != after:
        spec["taints"] = [_written(node, taint) for taint in after] or None
    if spec:
        patch["spec"] = spec
    return patch


def cordon_of(node: Live) -> dict[str, Any]:
    """What is applied to have a part in the cordon of a node; of no node that has changed, or is gone."""
    version = {"resourceVersion": text(node, "metadata", "resourceVersion")}
    metadata = {"name": text(node, "metadata", "name"), **version}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"unschedulable": True}}


def _changed(there: Mapping[str, Any], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: value for key, value in wanted.items() if there.get(key) != value}


def _tainted(there: list[dict[str, str]], wanted: Sequence[Taint]) -> list[dict[str, str]]:
    """The taints as they shall be: those that are there keep their place."""
    result = list(there)
    for taint in wanted:
        new = {"key": taint.key, "value": taint.value, "effect": taint.effect}
        found = [each for each in result if taint.is_about(each)]
        if not taint.wanted:
            result = [each for each in result if each not in found]
        elif found:
            result[result.index(found[0])] = new
        else:
            result.append(new)
    return result


def _written(node: Live, taint: Mapping[str, str]) -> dict[str, Any]:
    """A taint with all that the server has noted in it, such as the time of its making."""
    written = {part: value for part, value in taint.items() if value}
    stored: Sequence[Mapping[str, Any]] = sequence(node, "spec", "taints")
    kept = next((each for each in stored if all(text(each, part) == value for part, value in taint.items())), None)
    return {**(kept or {}), **written}


def _check_label(key: str, value: str | None) -> None:
    try:
        Requirement(key, Operator.EXISTS if value is None else Operator.EQUALS, () if value is None else (value,))
    except InputError as error:
        raise InputError(f"labels: {key}: {error}") from None
