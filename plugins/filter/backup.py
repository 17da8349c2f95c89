# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..module_utils._cluster.volume_archives import plan_archives
from ..module_utils._k3s.backup_wishes import backup_wish_problems
from ..module_utils._k3s.machines import Machine
from ..module_utils._k3s.restore import backup_problems, node_marks, restore_obstacles, stale_nodes
from ..module_utils._k3s.restored_volumes import Seen, volume_obstacles, volumes_due

Records = Sequence[Mapping[str, Any]]


def obstacles(records: Records, servers: Sequence[str], manifest: Mapping[str, Any], **said: Any) -> list[str]:
    """What must not be overwritten without an explicit word, and who has to answer first."""
    return restore_obstacles([Machine.from_record(record) for record in records], servers, manifest, **said)


def stale(records: Records, first: str) -> list[str]:
    """The nodes that a restored cluster remembers, and that have to join anew or are no more."""
    machines = [Machine.from_record(record) for record in records]
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


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "backup_problems": backup_problems,
            "backup_wish_problems": backup_wish_problems,
            "node_marks": node_marks,
            "restore_obstacles": obstacles,
            "stale_nodes": stale,
            "volume_archives": archives,
            "volume_obstacles": obstacles_of_volumes,
            "volumes_due": due,
        }
