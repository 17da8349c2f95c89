# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Volumes that are a directory of one machine, and what it takes to have them elsewhere.

A claim and its volume know each other by name for ever, and where a volume lies cannot be changed. So the object that
stands for the volume is made anew under its name, with the directory on the other machine; the claim stays as it is.
What is needed for that stands in the claim while no volume does. The older copy of the data stays where it was, and
the new volume says where that is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NoReturn

from .._errors import ClusterError, InputError
from .._kube.change.live import Live
from .._kube.fields import integer, mapping, text
from .._kube.near_miss import did_you_mean
from .drain import Sight, claims_of, controller_of, counted, pod_name
from .node import is_cordoned, is_ready, name_of
from .placement import HOSTNAME, Volume, has_ended, tolerates_cordon, why_not

# On a claim, from the moment that its volume is taken away until all that move with it can be used.
RECORD = "hearth.cluster/volume-move"
# On a volume: where older copies of its data lie.
OLD_COPIES = "hearth.cluster/old-copies"

_SELECTED_NODE = "local.path.provisioner/selected-node"
_MOVES = re.compile(r"^(.*?)(?:\.moved-(\d+))?$", re.DOTALL)


@dataclass(frozen=True)
class Move:
    """One volume that lies on a node and shall lie on another one. `is_copied` says that its data are there already."""

    claim: str  # namespace and name
    volume: str
    path: str
    new_path: str
    pods: tuple[str, ...] = ()
    to: str = ""
    is_copied: bool = False


@dataclass(frozen=True)
class OldCopy:
    """Data that were moved away from here, and still lie here."""

    claim: str
    node: str
    path: str


@dataclass(frozen=True)
class MovePlan:
    """All volumes of a node; of each other node why it cannot take them, nothing where it can."""

    node: str
    moves: tuple[Move, ...] = ()
    nodes: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[tuple[str, str], ...] = ()
    old_copies: tuple[OldCopy, ...] = ()
    is_there: bool = True

    @property
    def begun_to(self) -> str:
        """The node to which an earlier run has copied something already."""
        return next((each.to for each in self.moves if each.is_copied), "")

    @property
    def candidates(self) -> list[str]:
        return [self.begun_to] if self.begun_to else sorted(name for name, reason in self.nodes.items() if not reason)


def plan_moves(node: str, sight: Sight) -> MovePlan:
    """What it takes to have on another node what is stored on this one."""
    pinned = list(_pinned_to(node, sight))
    refused = [(volume.claim, reason) for volume in pinned for reason in _objections(volume, sight)]
    moves = [*_unfinished(node, sight), *(_move(volume, sight) for volume in pinned)]
    claims = {each.claim for each in moves}
    nodes = {name_of(each): _why_not_there(each, claims, sight) for each in sight.nodes if name_of(each) != node}
    in_use = {directory_of(each) for each in sight.volumes}
    left = old_copies(sight.volumes, sight.claims)
    copies = [each for each in left if each.node == node and each.path not in in_use]
    in_order = tuple(sorted(moves, key=lambda each: each.claim))
    return MovePlan(node, in_order, nodes, tuple(refused), tuple(copies), node in map(name_of, sight.nodes))


def target_of(plan: MovePlan, to: str, measured: Mapping[str, Any]) -> str:
    """The node that takes all volumes: the one that is asked for, or the one with most room; nothing where none moves.

    One to which an earlier run has begun to copy comes before others, so that nothing stays there which no list has.
    `measured` is what the machines say of themselves, by their names. Before they are asked it may be open.
    """
    if not plan.is_there:
        raise InputError(f"There is no node {plan.node} in this cluster; {did_you_mean(plan.node, plan.nodes)}")
    if plan.refused:
        _refuse(plan, [f"claim {claim}: {reason}" for claim, reason in plan.refused])
    if not plan.moves:
        return ""
    if to and to not in plan.nodes:
        raise InputError(f"There is no other node {to} in this cluster; {did_you_mean(to, plan.nodes)}")
    need = _needed(plan, measured) if measured else 0
    why_not = {name: _why_not_chosen(plan, name, need, measured) for name in ([to] if to else sorted(plan.nodes))}
    able = [name for name, reason in why_not.items() if not reason]
    if not able:
        _refuse(plan, [f"node {name}: {reason}" for name, reason in why_not.items()] or ["there is no other node"])
    if not measured:
        return able[0] if len(able) == 1 else ""
    return max(able, key=lambda name: (integer(measured, name, "left") > 0, integer(measured, name, "room")))


def left_elsewhere(plan: MovePlan, to: str, measured: Mapping[str, Any]) -> Iterator[str]:
    """What runs that were cut short have copied to other nodes than the one that takes the volumes now."""
    paths = ", ".join(f"{each.new_path}, {each.new_path}.incoming" for each in plan.moves if not each.is_copied)
    for name in sorted({*measured} - {plan.node, to}) if to else ():
        left = integer(measured, name, "left")
        if left:
            yield (
                f"Node {name} holds {_megabytes(left)} that an earlier run has copied there; once the volumes are on"
                f" node {to}, delete on {name} what there is of {paths}"
            )


def _needed(plan: MovePlan, measured: Mapping[str, Any]) -> int:
    stored, waiting = mapping(measured, plan.node, "stored"), [each for each in plan.moves if not each.is_copied]
    if waiting and not stored:
        said = text(measured, plan.node, "msg") or "it does not answer"
        _refuse(plan, [f"node {plan.node}: its machine cannot be read: {said}"])
    return sum(integer(stored, each.path) for each in waiting)


def _why_not_chosen(plan: MovePlan, name: str, need: int, measured: Mapping[str, Any]) -> str:
    if plan.begun_to:
        is_other = name != plan.begun_to
        return f"an earlier run has begun to move volumes to {plan.begun_to}, end that first" if is_other else ""
    if plan.nodes[name] or not measured:
        return plan.nodes[name]
    if "room" not in mapping(measured, name):
        return f"its machine cannot be asked: {text(measured, name, 'msg') or 'it does not answer'}"
    room = integer(measured, name, "room")
    return f"it has room for {_megabytes(room)}, and {_megabytes(need)} are stored" if room < need else ""


def old_copies(volumes: Sequence[Live], claims: Sequence[Live]) -> list[OldCopy]:
    """Everything that was left behind when these volumes moved."""
    names = {text(each, "spec", "volumeName"): _claim_name(each) for each in claims}
    found = ((names.get(name_of(volume), ""), each) for volume in volumes for each in _old_places(volume))
    return [OldCopy(claim, text(each, "node"), text(each, "path")) for claim, each in found]


def users_of(claim: str, sight: Sight) -> list[Live]:
    """The pods that use a claim, or will as soon as a node can take them."""
    namespace, _slash, name = claim.partition("/")
    return [
        pod
        for pod in sight.pods
        if text(pod, "metadata", "namespace") == namespace and name in claims_of(pod) and not has_ended(pod)
    ]


def record_of(claim: Live) -> Mapping[str, Any]:
    """What an interrupted move has written into a claim, empty where there is nothing."""
    try:
        return mapping(json.loads(text(claim, "metadata", "annotations", RECORD) or "{}"))
    except ValueError:
        return {}


def record_for(claim: Live, volume: Live, move: Move, source: str, target: Live) -> dict[str, Any]:
    """What is written into a claim before its volume is taken away: enough to make the new one at any later time."""
    old = [*_old_places(volume), {"node": source, "path": move.path}]
    reclaim = text(record_of(claim), "reclaim") or text(volume, "spec", "persistentVolumeReclaimPolicy")
    new = _relocated(volume, claim, target, move.new_path, old)
    return {"from": source, "to": name_of(target), "reclaim": reclaim, "volume": new}


def without_old_copies(volume: Live, node: str) -> dict[str, Any]:
    """The patch that forgets what was left behind on a node."""
    kept = [each for each in _old_places(volume) if text(each, "node") != node]
    return {"metadata": {"annotations": {OLD_COPIES: json.dumps(kept) if kept else None}}}


def _pinned_to(node: str, sight: Sight) -> Iterator[Volume]:
    """Claimed volumes that can be used on this node and on no other."""
    volumes = {name_of(each): each for each in sight.volumes}
    for claim in sight.claims:
        volume = volumes.get(text(claim, "spec", "volumeName"))
        if volume is not None and [name_of(each) for each in sight.nodes if _can_be_used(volume, each)] == [node]:
            yield Volume(_claim_name(claim), volume)


def _unfinished(node: str, sight: Sight) -> Iterator[Move]:
    """Moves away from a node that were interrupted when the old volume was gone, or the new one not yet in use."""
    volumes = {name_of(each): each for each in sight.volumes}
    for claim in sight.claims:
        record, name = record_of(claim), text(claim, "spec", "volumeName")
        new, there = mapping(record, "volume"), volumes.get(name)
        path, old = directory_of(new), _old_places(new)
        if old and text(record, "from") == node and (there is None or directory_of(there) == path):
            pods = _names(users_of(_claim_name(claim), sight))
            yield Move(_claim_name(claim), name, text(old[-1], "path"), path, pods, text(record, "to"), is_copied=True)


def _move(volume: Volume, sight: Sight) -> Move:
    path, pods = directory_of(volume.volume), users_of(volume.claim, sight)
    new_path = _next_path(path, _directories(sight, but=volume.claim))
    return Move(volume.claim, name_of(volume.volume), path, new_path, _names(pods))


def _objections(volume: Volume, sight: Sight) -> Iterator[str]:
    if not directory_of(volume.volume):
        yield f"its volume {name_of(volume.volume)} is no directory of the machine, and only such a one can be moved"
    if text(volume.volume, "spec", "volumeMode") == "Block":
        yield f"its volume {name_of(volume.volume)} is a block device, and only directories can be moved"
    for pod in users_of(volume.claim, sight):
        owner = controller_of(pod)
        if text(owner, "kind") == "DaemonSet":
            yield f"pod {pod_name(pod)} uses it, which DaemonSet {text(owner, 'name')} runs on every node"
        elif tolerates_cordon(pod):
            yield f"pod {pod_name(pod)} uses it, and would come back to the cordoned node, for it tolerates the cordon"


def _why_not_there(node: Live, claims: set[str], sight: Sight) -> str:
    """Why a node cannot take all the pods that use these claims, whose volumes it would have."""
    for claim in sorted(claims):
        for pod in users_of(claim, sight):
            others = [each for each in sight.volumes_of(pod) if each.claim not in claims]
            reason = why_not(pod, node, others, sight.pods)
            if reason:
                return f"it {reason}, which matters to pod {pod_name(pod)}"
    return "" if is_ready(node) and not is_cordoned(node) else f"it is {'cordoned' if is_ready(node) else 'not Ready'}"


def _refuse(plan: MovePlan, reasons: Sequence[str]) -> NoReturn:
    told = "".join(f"\n- {each}" for each in reasons)
    volumes = counted(plan.moves, "volume")
    raise ClusterError(
        f"Nothing was changed, the {volumes} of node {plan.node} cannot be moved:{told}",
        reason="obstacles",
        obstacles=list(reasons),
    )


def _relocated(volume: Live, claim: Live, node: Live, path: str, old: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """The volume as it shall be on another node. It is kept, whatever happens, until it is in use there."""
    host = text(mapping(node, "metadata", "labels"), HOSTNAME) or name_of(node)
    spec: dict[str, Any] = deepcopy(dict(mapping(volume, "spec")))
    spec["local" if "local" in spec else "hostPath"]["path"] = path
    expression = {"key": HOSTNAME, "operator": "In", "values": [host]}
    spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    spec["persistentVolumeReclaimPolicy"] = "Retain"
    spec["claimRef"] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": text(claim, "metadata", "namespace"),
        "name": name_of(claim),
        "uid": text(claim, "metadata", "uid"),
    }
    annotations = {**mapping(volume, "metadata", "annotations"), OLD_COPIES: json.dumps(list(old))}
    if _SELECTED_NODE in annotations:
        annotations[_SELECTED_NODE] = name_of(node)
    labels = mapping(volume, "metadata", "labels")
    metadata = {"name": name_of(volume), "annotations": annotations, **({"labels": dict(labels)} if labels else {})}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def directory_of(volume: Live) -> str:
    return text(volume, "spec", "local", "path") or text(volume, "spec", "hostPath", "path")


def _next_path(path: str, taken: Collection[str]) -> str:
    """A directory that no earlier place of this volume had, wherever that was, and no other volume has."""
    base, number = re.fullmatch(_MOVES, path.rstrip("/")).groups()  # type: ignore[union-attr]  # it fits any text
    paths = (f"{base}.moved-{each}" for each in count(int(number or 0) + 1))
    return next(each for each in paths if each not in taken)


def _directories(sight: Sight, *, but: str) -> set[str]:
    """Where data of volumes lie on any node, or will when a move ends; but for where that of one claim goes."""
    moving = [mapping(record_of(each), "volume") for each in sight.claims if _claim_name(each) != but]
    left = {each.path for each in old_copies(sight.volumes, sight.claims)}
    return left.union(map(directory_of, (*sight.volumes, *moving)))


def _can_be_used(volume: Live, node: Live) -> bool:
    return bool(mapping(volume, "spec", "nodeAffinity", "required")) and Volume("", volume).can_be_used_on(node)


def _old_places(volume: Live) -> list[Mapping[str, str]]:
    try:
        said = json.loads(text(volume, "metadata", "annotations", OLD_COPIES) or "[]")
    except ValueError:
        return []
    return [each for each in said if isinstance(each, Mapping)]


def _claim_name(claim: Live) -> str:
    return f"{text(claim, 'metadata', 'namespace')}/{name_of(claim)}"


def _names(pods: Sequence[Live]) -> tuple[str, ...]:
    return tuple(sorted(map(pod_name, pods)))


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:.0f} MB"
