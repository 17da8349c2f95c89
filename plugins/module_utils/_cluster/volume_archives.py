# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which volumes a backup takes along, on which machines they lie, and why one cannot be.

Only a directory of one machine can be read there. What lies elsewhere is somebody else's to back up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kube.change.live import Live
from .._kube.fields import mapping, text
from .._kube.near_miss import did_you_mean
from .node import name_of
from .placement import Volume
from .volumes import directory_of


@dataclass(frozen=True)
class Archive:
    """A volume that is taken along: whose it is, where it lies, and what its archive is called."""

    claim: str  # namespace and name
    node: str
    path: str
    host: str  # the node's name in the inventory
    name: str


class _ProblemError(Exception):
    """Why a claim cannot be taken along."""


def plan_archives(
    wanted: Sequence[Mapping[str, str]], objects: Sequence[Live], hosts: Sequence[Mapping[str, str]]
) -> tuple[list[Archive], list[str]]:
    """Find the volumes of the claims that are asked for; tell of each that cannot be had what to do about it.

    `objects` are the nodes, volumes and claims of the cluster, `hosts` the machines of the inventory.
    """
    archives, problems = [], []
    for claim in dict.fromkeys(f"{each['namespace']}/{each['claim']}" for each in wanted):
        try:
            archives.append(_archive(claim, objects, hosts))
        except _ProblemError as problem:
            problems.append(f"backup_volumes: claim {claim} {problem}")
    return archives, problems


def _archive(claim: str, objects: Sequence[Live], hosts: Sequence[Mapping[str, str]]) -> Archive:
    volume = _volume_of(claim, objects)
    node = _node_of(volume, objects)
    host = next((each["name"] for each in hosts if each["node_name"] == node), "")
    if not host:
        raise _ProblemError(
            f"lies on node {node}, and no host of the inventory is that node: add it there, with k3s_node_name if it "
            "has another name, or take the claim out of the list"
        )
    return Archive(claim, node, directory_of(volume), host, f"{claim.replace('/', '.')}.volume")


def _volume_of(claim: str, objects: Sequence[Live]) -> Live:
    claims = {_full_name(each): each for each in _of_kind("PersistentVolumeClaim", objects)}
    if claim not in claims:
        raise _ProblemError(f"is not in the cluster: {did_you_mean(claim, claims)}")
    name = text(claims[claim], "spec", "volumeName")
    volume = next((each for each in _of_kind("PersistentVolume", objects) if name and name_of(each) == name), None)
    if volume is None:
        raise _ProblemError("has no volume yet, which it gets with its first pod: take it out of the list until then")
    return volume


def _node_of(volume: Live, objects: Sequence[Live]) -> str:
    """The one node whose disk holds the directory."""
    able = [name_of(each) for each in _of_kind("Node", objects) if Volume("", volume).can_be_used_on(each)]
    is_bound = bool(mapping(volume, "spec", "nodeAffinity", "required"))
    if not directory_of(volume) or text(volume, "spec", "volumeMode") == "Block":
        raise _ProblemError(
            f"has volume {name_of(volume)}, which is no directory of a node: back it up where it is stored, or have a "
            "command print what is in it (backup_commands)"
        )
    if not able:
        raise _ProblemError(f"has volume {name_of(volume)}, whose node is not in the cluster: bring that node back")
    if not is_bound or len(able) > 1:
        raise _ProblemError(
            f"has volume {name_of(volume)}, which is not bound to one node but may be used on {', '.join(able)}: give "
            "it a nodeAffinity, or back it up where it is stored"
        )
    return able[0]


def _of_kind(kind: str, objects: Sequence[Live]) -> Iterator[Live]:
    return (each for each in objects if text(each, "kind") == kind)


def _full_name(claim: Any) -> str:
    return f"{text(claim, 'metadata', 'namespace')}/{name_of(claim)}"
