# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which swap is on, and what brings it back at the next boot."""

from __future__ import annotations

from typing import Any

from .paths import Tree

RPI_SWAP = "/etc/rpi/swap.conf"  # of the package rpi-swap, which makes the swap of Raspberry Pi OS from trixie on


def swap_devices(tree: Tree) -> list[dict[str, Any]]:
    """Return the active swap devices, each with the mechanism that made it."""
    rows = [line.split() for line in tree.text("/proc/swaps").splitlines()[1:]]
    return [
        {"device": row[0], "type": row[1], "size_mb": int(row[2]) // 1024, "mechanism": _mechanism(tree, row[0])}
        for row in rows
        if len(row) >= 3
    ]


def swap_sources(tree: Tree) -> list[str]:
    """Return what is set up to make swap at the next boot, whether it is on now or not."""
    sources = {
        "rpi-swap": _rpi_swap_is_on(tree),
        "dphys-swapfile": tree.has("/etc/systemd/system/multi-user.target.wants/dphys-swapfile.service"),
        "fstab": any(_is_swap(line) for line in tree.text("/etc/fstab").splitlines()),
    }
    return [name for name, there in sources.items() if there]


def _mechanism(tree: Tree, device: str) -> str:
    if device.startswith("/dev/zram"):
        return "rpi-swap" if tree.has(RPI_SWAP) else "zram"
    if device == "/var/swap":
        return "rpi-swap" if tree.has(RPI_SWAP) else "dphys-swapfile"
    in_fstab = any(_is_swap(line) for line in tree.text("/etc/fstab").splitlines())
    return "fstab" if in_fstab else "unit"


def _rpi_swap_is_on(tree: Tree) -> bool:
    """The last file that names a mechanism wins, as in all configuration directories of systemd's kind."""
    if not tree.has(RPI_SWAP):
        return False
    directory = "/etc/rpi/swap.conf.d"
    paths = [RPI_SWAP, *(f"{directory}/{name}" for name in tree.names(directory) if name.endswith(".conf"))]
    mechanism = "auto"
    for path in paths:
        for line in tree.text(path).splitlines():
            key, equals, value = line.partition("=")
            if equals and key.strip() == "Mechanism":
                mechanism = value.strip()
    return mechanism != "none"


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 3 and not fields[0].startswith("#") and fields[2] == "swap"
