# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The settings in the boot EEPROM of a Raspberry Pi 4 or 5."""

from __future__ import annotations

import re

from .._errors import InputError


def with_boot_order(config: str, order: str) -> str:
    """The settings with this boot order; the same text if it is in force. Digits are tried from right to left."""
    if not re.fullmatch(r"0x[0-9a-f]{1,8}", order):
        raise InputError(
            f"raspberry_pi_eeprom_boot_order: {order!r} is not a boot order; write it as in '0xf416', in quotes: "
            "from right to left 6 is NVMe, 1 the SD card, 4 USB, and f begins again"
        )
    pattern = re.compile(r"^BOOT_ORDER=(.*)$", re.MULTILINE)
    found = pattern.findall(config)
    if found and found[-1].strip().lower() == order:
        return config
    rest = re.sub(r"^BOOT_ORDER=.*(?:\n|\Z)", "", config, flags=re.MULTILINE)
    return f"{rest}{'' if not rest or rest.endswith(chr(10)) else chr(10)}BOOT_ORDER={order}\n"
