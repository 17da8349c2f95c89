# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a node may leave the cluster, or give its place to a new machine.

Everything is found from the Node objects and the volumes, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from .._kube.change.live import Live
from .._kube.fields import text
from .node import addresses_of, etcd_member_of, is_ready, name_of, roles_of
from .placement import Volume

_SERVER = "control-plane"


@dataclass(frozen=True)
class Words:
    """What the operator has said in so many words."""

    lost: bool = False  # the machine will not come back, and what is on it is given up
    delete_volumes: bool = False
    move_volumes: bool | None = False  # None: they cannot be moved, for the machine is gone already


@dataclass(frozen=True)
class Departure:
    """A node and what speaks against its going."""

    exists: bool = False
    ready: bool = False
    etcd: bool = False
    stops_first: bool = True  # whether k3s can be stopped there before the others let go of it
    volumes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()  # that have them
    problems: tuple[str, ...] = ()


def plan_departure(name: str, nodes: Sequence[Live], volumes: Sequence[Live], words: Words) -> Departure:
    node = next((each for each in nodes if name_of(each) == name), None)
    if node is None:
        return Departure()
    there = tuple(volumes_only_on(node, nodes, volumes))
    return Departure(
        exists=True,
        ready=is_ready(node),
        etcd=etcd_member_of(node) is not None,
        stops_first=_goes_on_without(node, nodes),
        volumes=tuple(map(str, there)),
        claims=tuple(volume.claim for volume in there),
        problems=tuple(_problems(node, nodes, there, words)),
    )


def other_node(nodes: Sequence[Live], name: str, addresses: Collection[str]) -> str:
    """The node that a machine with these addresses is, if it is Ready and another one than ``name``; else nothing."""
    for node in nodes:
        if name_of(node) != name and is_ready(node) and set(addresses_of(node)) & set(addresses):
            return name_of(node)
    return ""


def _problems(node: Live, nodes: Sequence[Live], volumes: Sequence[Volume], words: Words) -> Iterator[str]:
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
    if not (words.lost or words.delete_volumes):
        yield from _volume_problems(name, volumes, words)


def _volume_problems(name: str, volumes: Sequence[Volume], words: Words) -> Iterator[str]:
    """Only a volume that a claim has can move to another node."""
    claimed = [volume for volume in volumes if text(volume.volume, "status", "phase") == "Bound"]
    unclaimed = [volume for volume in volumes if volume not in claimed]
    give_up = "give them up with -e delete_volumes=true"
    if claimed and not words.move_volumes:
        take_along = "" if words.move_volumes is None else "take them along with -e move_volumes=true, or "
        yield f"{_lost_with(name, claimed)}; {take_along}{give_up}"
    if unclaimed:
        yield (
            f"{_lost_with(name, unclaimed)}; no claim has them any more, so they cannot move: delete those that nobody"
            f" needs (kubectl delete pv), or {give_up}"
        )


def _lost_with(name: str, volumes: Sequence[Volume]) -> str:
    lie = "these volumes lie" if len(volumes) > 1 else "this volume lies"
    return f"{lie} on {name} alone and would be lost: {', '.join(map(str, volumes))}"


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
