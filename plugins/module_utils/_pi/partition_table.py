# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Where the boot partition of a card's image begins, read from its partition table."""

from __future__ import annotations

from .._errors import InputError

SECTOR = 512
_FAT = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
_WHOLE_DISK = 0xEE  # one entry that stands for a GPT
_FIRST_ENTRY, _ENTRY, _SIGNATURE = 446, 16, b"\x55\xaa"


def boot_partition(head: bytes, size: int) -> int:
    """Offset in bytes of the first FAT partition of an image of ``size`` bytes that begins with the sector ``head``."""
    return boot_range(head, size)[0]


def boot_range(head: bytes, size: int) -> tuple[int, int]:
    """Where that partition begins and where it ends, in bytes."""
    if len(head) < SECTOR or head[510:SECTOR] != _SIGNATURE:
        raise InputError("it has no partition table; a compressed image must be unpacked first")
    entries = [head[start : start + _ENTRY] for start in range(_FIRST_ENTRY, 510, _ENTRY)]
    parts = [(entry[4], _number(entry[8:12]), _number(entry[12:16])) for entry in entries if entry[4]]
    if any(kind == _WHOLE_DISK for kind, _start, _length in parts):
        raise InputError("it has a GPT, while images for a Raspberry Pi have an MBR partition table")
    for number, (_kind, start, length) in enumerate(parts, 1):
        if (start + length) * SECTOR > size:
            raise InputError(f"it is cut off: partition {number} ends beyond the end of the file")
    first = next(((start, start + length) for kind, start, length in parts if kind in _FAT), None)
    if first is None:
        raise InputError("it has no FAT partition, from which a Raspberry Pi would boot")
    return first[0] * SECTOR, first[1] * SECTOR


def _number(field: bytes) -> int:
    return int.from_bytes(field, "little")
