# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a machine must be started again for what is installed to be in force.

Raspberry Pi OS leaves no /run/reboot-required of its own accord, so what runs is compared with what is installed: a
kernel of the same flavour that is newer, or the running one's modules gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# The version proper, what Raspberry Pi, Debian and Ubuntu count behind it, and the sign before the flavour.
_VERSION = re.compile(
    r"[0-9][0-9.]*(?:[+-](?:[0-9][0-9.]*(?:(?:deb|bpo)[0-9.]*)?|rpt[0-9]*|rpi[0-9]+|deb[0-9.]+|bpo[0-9.]*|rc[0-9]+))*[+-]"
)

# Where the firmware looks for the kernel of each flavour.
_BOOT_NAMES = {
    "rpi-v6": "kernel.img",
    "rpi-v7": "kernel7.img",
    "rpi-v7l": "kernel7l.img",
    "rpi-v8": "kernel8.img",
    "rpi-2712": "kernel_2712.img",
}


def flavour(release: str) -> str:
    """``rpi-v8`` of 6.12.47+rpt-rpi-v8, ``amd64`` of 6.1.0-18-amd64: what kernels that replace each other share."""
    match = _VERSION.match(release)
    return release[match.end() :] if match else ""


def newest(releases: Sequence[str], running: str) -> str:
    """The latest installed kernel of the running one's flavour; empty if none is installed."""
    own = [release for release in releases if flavour(release) == flavour(running)]
    return max(own, key=_numbers, default="")


def boot_name(running: str) -> str:
    """The file of the boot partition that holds kernels of this flavour; empty where there is no such file."""
    return _BOOT_NAMES.get(flavour(running), "")


def reboot_reasons(kernel: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that is installed and not in force."""
    reasons = []
    if kernel["required_by"] is not None:
        packages = ", ".join(kernel["required_by"])
        reasons.append("an upgrade asked for a restart" + (f": {packages}" if packages else ""))
    latest = newest(kernel["installed"], kernel["running"])
    if kernel["installed"] and kernel["running"] not in kernel["installed"]:
        reasons.append(f"the running kernel {kernel['running']} is no longer installed")
    elif latest not in {"", kernel["running"]}:
        reasons.append(f"kernel {latest} is installed and {kernel['running']} is running")
    if kernel["firmware_pending"]:
        reasons.append("new firmware for the boot EEPROM waits for a restart")
    return reasons


def boot_problem(kernel: Mapping[str, Any]) -> str:
    """Say that a restart would bring back the old kernel, because the new one never reached the boot partition."""
    latest = newest(kernel["installed"], kernel["running"])
    if not latest or kernel["boot_copy_is_newest"] is not False:
        return ""
    return (
        f"kernel {latest} is installed, but {boot_name(kernel['running'])} of the boot partition is another one, as "
        f"when that partition is full: make room there, then: sudo dpkg-reconfigure linux-image-{latest}"
    )


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", release.removesuffix(flavour(release))))
