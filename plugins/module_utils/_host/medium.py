# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the root file system lies on: its kind, its health, how fast it keeps what it is
told."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from .paths import Tree

_RECORD = 2300  # bytes that etcd writes at a time
_WRITES, _LONGEST_LOOK = 50, 2.0


@dataclass(frozen=True, slots=True)
class Mount:
    """``partition`` and ``disk`` are the kernel's names; empty where no block device is behind the mount."""

    partition: str
    disk: str
    bus: str  # the path of the device below /sys, which tells how it is connected
    options: list[str]


def root_mount(tree: Tree) -> Mount:
    for line in tree.text("/proc/self/mountinfo").splitlines():
        fields, _dash, behind = line.partition(" - ")
        words = fields.split()
        if len(words) > 5 and words[4] == "/":
            options = [*words[5].split(","), *behind.split()[2:3]]
            device = tree.path(f"/sys/dev/block/{words[2]}").resolve()
            if not device.exists():
                return Mount("", "", "", options)
            disk = device.parent if (device / "partition").exists() else device
            return Mount(device.name, disk.name, str(device), options)
    return Mount("", "", "", [])


def describe_medium(tree: Tree, root: Mount, *, measure: bool) -> dict[str, Any]:
    return {"kind": _kind(tree, root), "device": root.disk, "sync_ms": sync_latency(tree) if measure else None}


def _kind(tree: Tree, root: Mount) -> str:
    if root.disk.startswith("mmcblk"):
        return "emmc" if tree.text(f"/sys/block/{root.disk}/device/type").strip() == "MMC" else "sd"
    if root.disk.startswith("nvme"):
        return "nvme"
    return "usb" if "/usb" in root.bus else "other"


def sync_latency(tree: Tree) -> float:
    """How many milliseconds a small write takes to be safe, at worst: what etcd waits for with each change.

    Only told of a machine that is no node yet: a node's disk is busy with the writes of others.
    """
    folder = tree.path("/var/lib")
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder if folder.is_dir() else None) as file:
        started = time.monotonic()
        while len(times) < _WRITES and time.monotonic() - started < _LONGEST_LOOK:
            before = time.monotonic()
            os.write(file.fileno(), b"\0" * _RECORD)
            os.fdatasync(file.fileno())
            times.append(time.monotonic() - before)
    return round(max(times) * 1000, 2)


def file_system_errors(tree: Tree, root: Mount) -> int:
    count = tree.text(f"/sys/fs/ext4/{root.partition}/errors_count").strip()
    return int(count) if root.partition and count.isdigit() else 0


def life_used(tree: Tree, root: Mount) -> str:
    """The worse of the two figures that an eMMC keeps, such as 0x01; empty for media that keep none."""
    return max(tree.words(f"/sys/block/{root.disk}/device/life_time"), default="") if root.disk else ""
