# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Where the volumes of a backup go, and what lies in their way there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What a machine says before anything is changed: how much room it has, and what lies where the volumes will."""

    name: str
    node_name: str
    room: int = 0
    content: Mapping[str, str] = field(default_factory=dict)  # by path: absent, empty or filled
    restored: Sequence[str] = ()  # the claims that an earlier run of this restore has put back


def volumes_due(manifest: Mapping[str, Any], machine: Seen, *, overwrite: bool = False) -> list[Mapping[str, Any]]:
    """The volumes that are put back on a machine; one that an earlier run has put there may be in use by now."""
    return [
        volume
        for volume in _archived(manifest)
        if volume["node"] == machine.node_name
        and (overwrite or volume["claim"] not in machine.restored or machine.content[volume["path"]] == "absent")
    ]


def volume_obstacles(manifest: Mapping[str, Any], machines: Sequence[Seen], *, word: str = "") -> list[str]:
    """Say what must not be overwritten without an explicit word, and where there is not enough room."""
    overwrite = word == manifest["cluster_name"]
    return [
        obstacle
        for machine in machines
        for obstacle in _obstacles(volumes_due(manifest, machine, overwrite=overwrite), machine, manifest, overwrite)
    ]


def _obstacles(
    due: Sequence[Mapping[str, Any]], machine: Seen, manifest: Mapping[str, Any], overwrite: bool
) -> Iterator[str]:
    filled = [volume for volume in due if machine.content[volume["path"]] == "filled"]
    for volume in [] if overwrite else filled:
        yield (
            f"{volume['path']} on {machine.name} has content, in the place of which the backup's volume of claim "
            f"{volume['claim']} would be put: say so with -e overwrite={manifest['cluster_name']}, or move it away"
        )
    # One archive after the other is brought, unpacked and removed.
    needed = sum(volume["bytes"] for volume in due) + max((volume["archive"]["size"] for volume in due), default=0)
    if needed > machine.room:
        yield (
            f"{machine.name} has room for {machine.room // _MIB} MiB, and the volumes of "
            f"{', '.join(volume['claim'] for volume in due)} take {-(-needed // _MIB)}: make room"
        )


def _archived(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [volume for volume in manifest["volumes"] if "archive" in volume]
