# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's own control group on every hierarchy of the host, be they version 1, version 2 or both.

It is what bounds a machine: systemd inside takes it for the root of its hierarchy, and what is in it is the machine, so
a power cut is the killing of the group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError

TOP = "hearth-lab"
KILL_LIMIT = 15.0
# What the machines have together, beside what runs on the host: more than one program, for they are several computers.
SHARES = {"cpu.shares": "4096", "cpu.weight": "400"}


@dataclass(frozen=True)
class Hierarchy:
    """One mounted tree of control groups."""

    mount: Path
    version: int
    controllers: tuple[str, ...] = ()


def parse_mounts(text: str) -> list[Hierarchy]:
    """The hierarchies in a /proc/mounts. A version 1 mount lists its controllers among its options."""
    found = []
    for line in text.splitlines():
        mount, kind, options = line.split()[1:4]
        if kind in {"cgroup", "cgroup2"} and mount.startswith("/sys/fs/cgroup"):
            found.append(Hierarchy(Path(mount), 2 if kind == "cgroup2" else 1, tuple(options.split(","))))
    return found


def host_hierarchies() -> list[Hierarchy]:
    return parse_mounts(Path("/proc/mounts").read_text())


def create(group: str) -> list[Path]:
    """Make ``hearth-lab/<group>`` everywhere; returns the files that a process writes its id to, to enter."""
    entries = []
    for hierarchy in host_hierarchies():
        path = hierarchy.mount
        for part in (TOP, *group.split("/")):
            _let_through(hierarchy, path)
            path = path / part
            path.mkdir(exist_ok=True)
            _inherit_cpuset(hierarchy, path)
        _give_shares(hierarchy.mount / TOP)
        entries.append(path / "cgroup.procs")
    return entries


def kill(group: str) -> None:
    """SIGKILL for everything in the group, until nothing is left. Harmless when there is no such group."""
    deadline = time.monotonic() + KILL_LIMIT
    while members := processes(group):
        for hierarchy in host_hierarchies():
            switch = hierarchy.mount / TOP / group / "cgroup.kill"
            if switch.exists():
                switch.write_text("1")
        for member in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(
                f"processes of {group} survive SIGKILL (in a disk wait?): {sorted(members)}; try again in a while"
            )
        time.sleep(0.05)


def processes(group: str) -> set[int]:
    found: set[int] = set()
    for hierarchy in host_hierarchies():
        for directory, _names, _files in os.walk(hierarchy.mount / TOP / group):
            # A group may vanish between the listing and the reading.
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split())
    return found


def remove(group: str = "") -> None:
    """Remove the group's directories, leaves first; one that is still in use stays."""
    for hierarchy in host_hierarchies():
        for directory, _names, _files in os.walk(hierarchy.mount / TOP / group, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


def clear(group: str) -> None:
    """Remove what the last boot of a machine left inside its group, as a real boot begins with none."""
    for hierarchy in host_hierarchies():
        top = hierarchy.mount / TOP / group
        for directory, _names, _files in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                if Path(directory) != top:
                    Path(directory).rmdir()


def memory_in_use(group: str) -> int | None:
    for hierarchy in host_hierarchies():
        for name in ("memory.current", "memory.usage_in_bytes"):
            with contextlib.suppress(OSError):
                return int((hierarchy.mount / TOP / group / name).read_text())
    return None


def _let_through(hierarchy: Hierarchy, parent: Path) -> None:
    """On version 2 a child has only the controllers that its parent passes on."""
    if hierarchy.version == 1:
        return
    for controller in (parent / "cgroup.controllers").read_text().split():
        # One that cannot be passed on (threads, real-time tasks) is left out rather than failing the boot.
        with contextlib.suppress(OSError):
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(hierarchy: Hierarchy, path: Path) -> None:
    """On version 1 a new cpuset is empty, and nothing can enter it."""
    if hierarchy.version == 1 and "cpuset" in hierarchy.controllers:
        for name in ("cpuset.cpus", "cpuset.mems"):
            (path / name).write_text((path.parent / name).read_text())


def _give_shares(top: Path) -> None:
    for name, value in SHARES.items():
        if (top / name).exists():
            (top / name).write_text(value)
