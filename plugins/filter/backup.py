# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..module_utils._k3s.machines import Machine
from ..module_utils._k3s.restore import backup_problems, node_marks, restore_obstacles, stale_nodes

Records = Sequence[Mapping[str, Any]]


def obstacles(records: Records, servers: Sequence[str], manifest: Mapping[str, Any], **said: Any) -> list[str]:
    """What must not be overwritten without an explicit word, and who has to answer first."""
    return restore_obstacles([Machine.from_record(record) for record in records], servers, manifest, **said)


def stale(records: Records, first: str) -> list[str]:
    """The nodes that a restored cluster remembers, and that have to join anew or are no more."""
    machines = [Machine.from_record(record) for record in records]
    return stale_nodes(next(machine for machine in machines if machine.name == first), machines)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "backup_problems": backup_problems,
            "node_marks": node_marks,
            "restore_obstacles": obstacles,
            "stale_nodes": stale,
        }
