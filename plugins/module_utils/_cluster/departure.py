# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a node may leave the cluster, or give its place to a new machine.

Everything is found from the Node objects and the volumes, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._kube.change.live import Live
from .._kube.fields import text
from .node import etcd_member_of, is_ready, name_of, roles_of
from .placement import Volume

_SERVER = "control-plane"


@dataclass(frozen=True)
class Words:
    """What the operator has said in so many words."""

    lost: bool = False  # the machine will not come back, and what is on it is given up
    delete_volumes: bool = False


@dataclass(frozen=True)
class Departure:
    """A node and what speaks against its going."""

    exists: bool = False
    ready: bool = False
    server: bool = False
    etcd: bool = False
    stops_first: bool = True  # whether k3s can be stopped there before the others let go of it
    volumes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def plan_departure(name: str, nodes: Sequence[Live], volumes: Sequence[Live], words: Words) -> Departure:
    node = next((each for each in nodes if name_of(each) == name), None)
    if node is None:
        return Departure()
    there = tuple(map(str, volumes_only_on(node, nodes, volumes)))
    return Departure(
        exists=True,
        ready=is_ready(node),
        server=_SERVER in roles_of(node),
        etcd=etcd_member_of(node) is not None,
        stops_first=_goes_on_without(node, nodes),
        volumes=there,
        problems=tuple(_problems(node, nodes, there, words)),
    )


def _problems(node: Live, nodes: Sequence[Live], volumes: Sequence[str], words: Words) -> Iterator[str]:
    name = name_of(node)
    others = [each for each in nodes if name_of(each) != name]
    if not any(_SERVER in roles_of(each) for each in others):
        yield (
            f"{name} is the last server, and without it there is no cluster: add another server first, or take"
            " everything down (hearth.cluster.reset)"
        )
        return
    if etcd_member_of(node):
        yield from _quorum_problems(name, others)
    if words.lost and is_ready(node):
        yield f"{name} is Ready, so it is not lost: leave lost out, and it is emptied before it goes"
    if volumes and not (words.lost or words.delete_volumes):
        yield (
            f"{'these volumes lie' if len(volumes) > 1 else 'this volume lies'} on {name} alone and would be lost:"
            f" {', '.join(volumes)}; take them along with -e move_volumes=true, or give them up with -e"
            " delete_volumes=true"
        )


def _quorum_problems(name: str, others: Sequence[Live]) -> Iterator[str]:
    """etcd goes on only if most of its members do, also of those that are left."""
    members = [each for each in others if etcd_member_of(each)]
    healthy = [each for each in members if _votes(each)]
    needed = len(members) // 2 + 1
    if len(healthy) < needed:
        ailing = ", ".join(name_of(each) for each in members if each not in healthy)
        yield (
            f"without {name}, etcd would have {len(members)} members, of which {needed} must be healthy, and"
            f" {len(healthy) or 'none'} would be: mend {ailing} first"
        )


def _goes_on_without(node: Live, nodes: Sequence[Live]) -> bool:
    """Whether etcd has a quorum while this member is stopped and still counted. Of two members neither can be stopped.

    A member that is stopped in good time hands its leadership over; one that is taken out while it leads leaves the
    others to find out, and no write is taken for seconds.
    """
    members = [each for each in nodes if etcd_member_of(each)]
    voting = [each for each in members if _votes(each) and each is not node]
    return node not in members or len(voting) > len(members) // 2


def _votes(node: Live) -> bool:
    member = etcd_member_of(node)
    return is_ready(node) and member is not None and member.voter is True


def volumes_only_on(node: Live, nodes: Sequence[Live], volumes: Sequence[Live]) -> Iterator[Volume]:
    """The volumes that can be used on this node and on no other."""
    others = [each for each in nodes if name_of(each) != name_of(node)]
    for live in volumes:
        claim = f"{text(live, 'spec', 'claimRef', 'namespace')}/{text(live, 'spec', 'claimRef', 'name')}"
        volume = Volume(claim, live)
        if volume.can_be_used_on(node) and not any(volume.can_be_used_on(each) for each in others):
            yield volume
