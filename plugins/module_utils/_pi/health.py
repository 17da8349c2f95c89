# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a Raspberry Pi's sensors mean, as sentences for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HOT = 80.0  # degrees Celsius, where the firmware begins to slow the processor down
SLOW_SYNC_MS = 10.0  # etcd's own limit for the 99th percentile of its writes to disk

# What vcgencmd get_throttled says: the low bits are about now, those 16 higher about the time since the start.
_SINCE_START = 16
_THROTTLED = {
    0: "the voltage is too low: take the board's own power supply and a short cable",
    1: "the processor is slowed down, because of low voltage or heat",
    2: "the processor is throttled, because of low voltage or heat",
    3: "the processor is near its limit of temperature: see to its cooling",
}
_LIFE_USED = {f"0x{tenth:02x}": f"{tenth * 10} %" for tenth in range(9, 11)} | {"0x0b": "more than it was made for"}


def complaints(board: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that a person should look after."""
    health, medium = board["health"], board["medium"]
    return [*_throttled(health["throttled"]), *_heat(health["temperature"]), *_card(health, medium), *_slow(medium)]


def _throttled(bits: int | None) -> list[str]:
    if not bits:
        return []
    said = []
    for bit, sentence in _THROTTLED.items():
        if bits >> bit & 1:
            said.append(sentence)
        elif bits >> (bit + _SINCE_START) & 1:
            said.append(f"since the last start it happened that {sentence}")
    return said


def _heat(degrees: float | None) -> list[str]:
    return [f"the processor has {degrees:.0f} °C: see to its cooling"] if degrees and degrees >= HOT else []


def _card(health: Mapping[str, Any], medium: Mapping[str, Any]) -> list[str]:
    device = medium["device"] or "the disk"
    said = []
    if health["file_system_errors"]:
        said.append(
            f"the file system on {device} has recorded {health['file_system_errors']} errors: back up what matters and "
            "replace the card or disk"
        )
    if health["read_only"]:
        said.append(f"{device} is mounted read-only, as after errors: look at the kernel's log, and replace it")
    if health["life_used"] in _LIFE_USED:
        said.append(f"{device} has used {_LIFE_USED[health['life_used']]} of its life: replace it soon")
    return said


def _slow(medium: Mapping[str, Any]) -> list[str]:
    latency = medium["sync_ms"]
    if latency is None or latency <= SLOW_SYNC_MS:
        return []
    kind = {"sd": "SD card", "emmc": "eMMC", "usb": "USB disk", "nvme": "NVMe disk"}.get(medium["kind"], "disk")
    return [
        f"the {kind} needs up to {latency:.0f} ms to keep a small write, and etcd wants less than {SLOW_SYNC_MS:.0f}: "
        "with three servers use SSDs, or run one server, whose state is in SQLite"
    ]
