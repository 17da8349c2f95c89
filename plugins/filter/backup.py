# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..module_utils._cluster.volume_archives import plan_archives
from ..module_utils._k3s.backup_wishes import backup_wish_problems
from ..module_utils._k3s.machines import Machine
from ..module_utils._k3s.restore import (
    Note,
    backup_problems,
    is_half_done,
    is_in_place,
    node_marks,
    restore_obstacles,
    stale_nodes,
    unfit,
)
from ..module_utils._k3s.restored_volumes import Seen, volume_obstacles, volumes_due

Records = Sequence[Mapping[str, Any]]


def obstacles(records: Records, servers: Sequence[str], manifest: Mapping[str, Any], **said: Any) -> list[str]:
    """What must be mended or answer first, and what must not be overwritten without an explicit word."""
    return [*unfit(records), *restore_obstacles(_machines(records), servers, manifest, **said)]


def progress(
    records: Records, servers: Sequence[str], manifest: Mapping[str, Any], notes: Mapping[str, Note]
) -> dict[str, Any]:
    """How far an earlier run of this restore came, and where half-done work of any restore lies."""
    machines = _machines(records)
    half_done = [machine.name for machine in machines if is_half_done(machine, notes.get(machine.name, {}))]
    return {"in_place": is_in_place(machines, servers, manifest, notes), "half_done": half_done}


def stale(records: Records, first: str) -> list[str]:
    """The nodes that a restored cluster remembers, and that have to join anew or are no more."""
    machines = _machines(records)
    return stale_nodes(next(machine for machine in machines if machine.name == first), machines)


def archives(wanted: Records, objects: Records, hosts: Records) -> dict[str, Any]:
    """The volumes that a backup takes along, and why others cannot be."""
    found, problems = plan_archives(wanted, objects, hosts)
    return {"volumes": [asdict(each) for each in found], "problems": problems}


def obstacles_of_volumes(manifest: Mapping[str, Any], seen: Records, **said: Any) -> list[str]:
    """What lies where the volumes of a backup would be put, and where there is too little room."""
    return volume_obstacles(manifest, [Seen(**each) for each in seen], **said)


def due(manifest: Mapping[str, Any], seen: Mapping[str, Any], **said: Any) -> list[Mapping[str, Any]]:
    """The volumes that are put back on one machine."""
    return volumes_due(manifest, Seen(**seen), **said)


def _machines(records: Records) -> list[Machine]:
    return [Machine.from_record(record) for record in records]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "backup_problems": backup_problems,
            "backup_wish_problems": backup_wish_problems,
            "node_marks": node_marks,
            "restore_obstacles": obstacles,
            "restore_progress": progress,
            "stale_nodes": stale,
            "volume_archives": archives,
            "volume_obstacles": obstacles_of_volumes,
            "volumes_due": due,
        }
