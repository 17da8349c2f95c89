# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.partition_table import boot_partition


def table(*parts: tuple[int, int, int]) -> bytes:
    entries = b"".join(
        bytes([0, 0, 0, 0, kind, 0, 0, 0]) + start.to_bytes(4, "little") + length.to_bytes(4, "little")
        for kind, start, length in parts
    )
    return bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"


def test_the_first_fat_partition_is_the_one() -> None:
    assert boot_partition(table((0x0C, 8192, 100), (0x83, 9000, 100)), 9100 * 512) == 8192 * 512
    assert boot_partition(table((0x83, 10, 10), (0x0B, 20, 10)), 30 * 512) == 20 * 512


@pytest.mark.parametrize(
    ("head", "size", "message"),
    [
        pytest.param(b"", 0, "no partition table", id="empty"),
        pytest.param(b"\xfd7zXZ\0" + bytes(600), 606, "must be unpacked", id="compressed"),
        pytest.param(
            table((0x0C, 8192, 100), (0x83, 9000, 100)), 9050 * 512, "partition 2 ends beyond", id="truncated"
        ),
        pytest.param(table((0xEE, 1, 10)), 11 * 512, "GPT", id="another table"),
        pytest.param(table((0x83, 1, 10)), 11 * 512, "no FAT partition", id="no boot partition"),
    ],
)
def test_an_image_that_cannot_be_right_is_refused(head: bytes, size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        boot_partition(head, size)
