# SPDX-License-Identifier: GPL-3.0-or-later
"""Which swap is on, and what would bring it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._host.swap import swap_devices, swap_sources
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import tree

HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
RPI_SWAP = {"/etc/rpi/swap.conf": "[Main]\n#Mechanism=auto\n"}
DPHYS = {"/etc/systemd/system/multi-user.target.wants/dphys-swapfile.service": ""}
FSTAB = {"/etc/fstab": "# /dev/sdb swap swap\nUUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n"}


def row(device: str, kind: str = "partition") -> dict[str, str]:
    return {"/proc/swaps": f"{HEAD}{device} {kind} 2097136 0 -2\n"}


@pytest.mark.parametrize(
    ("files", "mechanism"),
    [
        ({**row("/dev/zram0"), **RPI_SWAP}, "rpi-swap"),
        (row("/dev/zram0"), "zram"),
        ({**row("/var/swap", "file"), **DPHYS}, "dphys-swapfile"),
        ({**row("/dev/sda2"), **FSTAB}, "fstab"),
        (row("/dev/sda2"), "unit"),
    ],
)
def test_each_device_has_its_maker(tmp_path: Path, files: dict[str, str], mechanism: str) -> None:
    (device,) = swap_devices(tree(tmp_path, files))
    assert (device["mechanism"], device["size_mb"]) == (mechanism, 2047)


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        ({}, []),
        (RPI_SWAP, ["rpi-swap"]),
        ({**RPI_SWAP, "/etc/rpi/swap.conf.d/90-hearth.conf": "[Main]\nMechanism=none\n"}, []),
        ({**RPI_SWAP, "/etc/rpi/swap.conf.d/95-mine.conf": "[Main]\nMechanism = zram\n"}, ["rpi-swap"]),
        (DPHYS, ["dphys-swapfile"]),
        (FSTAB, ["fstab"]),
    ],
)
def test_what_makes_swap_at_the_next_boot(tmp_path: Path, files: dict[str, str], sources: list[str]) -> None:
    assert swap_sources(tree(tmp_path, files)) == sources


def test_no_swap_is_no_device(tmp_path: Path) -> None:
    assert swap_devices(tree(tmp_path, {"/proc/swaps": HEAD})) == []
