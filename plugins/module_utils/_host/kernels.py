# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which kernel runs, which are installed, and which one the firmware would start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._pi.kernels import boot_name, newest
from .paths import Tree

_BOOT_PLACES = ("/boot/firmware", "/boot")
# What rpi-eeprom-update leaves for the next start.
_PENDING_FIRMWARE = "pieeprom.upd"


def kernel_state(tree: Tree, running: str, container: bool) -> dict[str, Any]:
    """Return what tells whether a restart is due; a container has no kernel of its own."""
    modules = "/lib/modules"
    installed = [name for name in tree.names(modules) if tree.has(f"{modules}/{name}/modules.dep")]
    packages = tree.words("/run/reboot-required.pkgs")
    return {
        "running": running,
        "installed": [] if container else installed,
        "required_by": sorted(set(packages)) if tree.has("/run/reboot-required") else None,
        "firmware_pending": any(tree.has(f"{place}/{_PENDING_FIRMWARE}") for place in _BOOT_PLACES),
        "boot_copy_is_newest": None if container else _boot_copy_is_newest(tree, running, installed),
    }


def _boot_copy_is_newest(tree: Tree, running: str, installed: list[str]) -> bool | None:
    """Whether the firmware would start the newest kernel; None where it cannot be told."""
    name, latest = boot_name(running), newest(installed, running)
    package = _fingerprint(tree.path(f"/boot/vmlinuz-{latest}"))
    copies = [_fingerprint(tree.path(f"{place}/{name}")) for place in _BOOT_PLACES if name]
    known = [copy for copy in copies if copy]
    return package in known if package and known else None


def _fingerprint(path: Path) -> tuple[int, bytes] | None:
    """Size and end of a file: the end of a compressed kernel is the checksum of all of it."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 64))
            return size, file.read()
    except OSError:
        return None
