# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A card in a card reader: what it is, and whether it may be written."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .._errors import HostError, InputError

_SYSTEM_PLACES = {"/", "/boot", "/boot/firmware", "/boot/efi", "/usr", "/var", "/home"}
_SECTOR = 512  # the unit of /sys/block/*/size, whatever the disk's own is


@dataclass(frozen=True, slots=True)
class BlockDevice:
    path: str
    size: int
    model: str
    read_only: bool
    is_partition: bool
    mounts: tuple[str, ...]  # where it, or anything on it, is mounted
    is_swap: bool

    @property
    def label(self) -> str:
        """Name, model and size, by which a person knows the card."""
        return f"{self.path} ({self.model or 'unknown model'}, {self.size / 1e9:.1f} GB)"


def refuse(device: BlockDevice) -> None:
    """Refuse to write what somebody uses."""
    if device.is_partition:
        raise InputError(f"{device.label} is a partition; name the whole card.", path=device.path)
    if _SYSTEM_PLACES & set(device.mounts) or device.is_swap:
        raise InputError(f"{device.label} is the disk that this computer runs from; it is not touched.")
    if device.mounts:
        raise InputError(
            f"{device.label} is mounted at {', '.join(device.mounts)}; unmount it first: sudo umount "
            f"{' '.join(device.mounts)}",
            path=device.path,
        )
    if device.size == 0:
        raise InputError(f"{device.path} has no card in it.", path=device.path)
    if device.read_only:
        raise HostError(f"{device.label} is read-only; move the little switch at the side of the card.")


def refuse_too_small(device: BlockDevice, size: int) -> None:
    if device.size < size:
        raise InputError(f"{device.label} is too small: the image has {size / 1e9:.1f} GB.", path=device.path)


def describe(path: Path, root: Path = Path("/")) -> BlockDevice:
    """Look at a device through /sys and /proc; ``root`` is for tests."""
    name = path.resolve().name
    folder = root / "sys/class/block" / name
    numbers = set(_numbers(folder))
    return BlockDevice(
        path=str(path),
        size=int(_text(folder / "size") or 0) * _SECTOR,
        model=" ".join((_text(folder / "device/vendor") + " " + _text(folder / "device/model")).split())
        or _text(folder / "device/name"),
        read_only=_text(folder / "ro") == "1",
        is_partition=(folder / "partition").exists(),
        mounts=tuple(dict.fromkeys(_mounts(root, numbers, name))),
        is_swap=any(_belongs(line.split()[0], name) for line in _text(root / "proc/swaps").splitlines()[1:]),
    )


def is_device(path: Path) -> bool:
    try:
        return stat.S_ISBLK(path.stat().st_mode)
    except OSError:
        return False


def _numbers(folder: Path) -> Iterator[str]:
    """The numbers of a disk, its partitions, and whatever encryption or volumes are built on them."""
    yield _text(folder / "dev")
    for part in sorted(folder.glob("*/partition")):
        yield from _numbers(part.parent)
    for holder in sorted(folder.glob("holders/*")):
        yield from _numbers(holder)


def _mounts(root: Path, numbers: set[str], name: str) -> Iterator[str]:
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _dash, behind = line.partition(" - ")
        words, source = before.split(), behind.split()[1:2]
        # btrfs has a number of its own, and tells the disk by name only.
        if words[2] in numbers or (source and _belongs(source[0], name)):
            yield words[4].replace("\\040", " ")


def _belongs(device: str, disk: str) -> bool:
    """Whether /dev/sdb1 or /dev/mmcblk0p2 is part of that disk."""
    rest = device.removeprefix(f"/dev/{disk}")
    return device.startswith(f"/dev/{disk}") and (not rest or rest.lstrip("p").isdigit())


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
