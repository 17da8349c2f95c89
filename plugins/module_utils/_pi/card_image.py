# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Writing the image of a whole card: examined first, read back afterwards.

The first sector, with the partition table, goes on the card last. So a card whose writing was cut off has no
partitions, and nobody takes it for a whole one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import lzma
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .._errors import HostError, InputError
from .block_device import is_device
from .partition_table import SECTOR, boot_range

Report = Callable[[str], None]
_CHUNK = 4 << 20
_FLUSH, _READ_PARTITIONS = 0x1261, 0x125F  # BLKFLSBUF and BLKRRPART


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is whole: its size and digest are those of the content, not of a compressed file."""

    path: Path
    size: int
    digest: str
    boot: tuple[int, int]


def examine(path: Path, sha256: str, report: Report) -> Image:
    """Read all of the image before anything is written; ``sha256`` is that of the file as it was downloaded."""
    if not path.is_file():
        raise InputError(f"There is no image {path}.", path=str(path))
    if sha256:
        _compare_checksum(path, sha256.lower().removeprefix("sha256:"))
    digest, size, head = hashlib.sha256(), 0, b""
    with _opened(path) as image:
        for chunk in _chunks(image, path):
            head = head or chunk[:SECTOR]
            digest.update(chunk)
            size += len(chunk)
    report(f"{path.name} is whole, {size / 1e9:.1f} GB")
    try:
        return Image(path, size, digest.hexdigest(), boot_range(head, size))
    except InputError as error:
        raise InputError(f"{path} is not the image of a card: {error}.", path=str(path)) from None


def is_on(image: Image, target: Path) -> bool:
    """Whether the card holds the image already; its boot partition may say something else since."""
    if not target.exists():
        return False
    try:
        with target.open("rb") as card:
            return _agrees(image, card)
    except OSError as error:
        raise _trouble(target, error, "read") from error


def _agrees(image: Image, card: BinaryIO) -> bool:
    at = 0
    with _opened(image.path) as source:
        for chunk in _chunks(source, image.path):
            there = card.read(len(chunk))
            if _outside(chunk, at, image.boot) != _outside(there, at, image.boot):
                return False
            at += len(chunk)
    return True


def write(image: Image, target: Path, report: Report) -> None:
    """Write to a device, or to a file that is replaced when it is whole."""
    try:
        if is_device(target):
            _write(image, target, report)
        else:
            _write_beside(image, target, report)
    except OSError as error:
        raise _trouble(target, error, "write") from error


def _write_beside(image: Image, target: Path, report: Report) -> None:
    fresh = target.with_name(f"{target.name}.unfinished")
    try:
        fresh.unlink(missing_ok=True)
        # The host's secrets will be in it.
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _write(image, fresh, report)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _write(image: Image, target: Path, report: Report) -> None:
    # Exclusively: the kernel refuses a device that anybody uses.
    handle = os.open(target, os.O_RDWR | os.O_EXCL)
    with os.fdopen(handle, "r+b", buffering=0) as card:
        progress = _Progress("writing", image.size, report)
        with _opened(image.path) as source:
            head = b""
            for chunk in _chunks(source, image.path):
                _all(card, chunk if head else bytes(SECTOR) + chunk[SECTOR:])
                head = head or chunk[:SECTOR]
                progress.add(len(chunk))
        os.fsync(handle)
        card.seek(0)
        _all(card, head)
        _settle(handle)
        if _digest(card, image.size, _Progress("reading back", image.size, report)) != image.digest:
            card.seek(0)
            _all(card, bytes(SECTOR))
            _settle(handle)
            raise HostError(
                f"{target} does not hold what was written to it: the card is worn out or not of the size it says; "
                "take another one.",
                path=str(target),
            )


def _settle(handle: int) -> None:
    """Everything to the card, nothing left in memory: what is read next comes from the card."""
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    for request in (_FLUSH, _READ_PARTITIONS):
        with suppress(OSError):  # not for files
            fcntl.ioctl(handle, request)


def _digest(card: io.RawIOBase | BinaryIO, size: int, progress: _Progress) -> str:
    card.seek(0)
    digest = hashlib.sha256()
    while size:
        chunk = card.read(min(size, _CHUNK)) or b""
        if not chunk:
            break
        digest.update(chunk)
        progress.add(len(chunk))
        size -= len(chunk)
    return digest.hexdigest()


def _all(card: io.RawIOBase | BinaryIO, content: bytes) -> None:
    while content:
        content = content[card.write(content) or 0 :]


class _Progress:
    """A line for each tenth that is done."""

    def __init__(self, what: str, size: int, report: Report) -> None:
        self._what, self._size, self._report = what, size, report
        self._done, self._said, self._started = 0, 0, time.monotonic()

    def add(self, size: int) -> None:
        self._done += size
        tenth = self._done * 10 // self._size
        if tenth > self._said:
            self._said = tenth
            speed = self._done / 1e6 / max(time.monotonic() - self._started, 0.001)
            self._report(f"{self._what}: {'#' * tenth}{'.' * (10 - tenth)} {tenth * 10} %, {speed:.0f} MB/s")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.suffix == ".xz":
        with lzma.open(path, "rb") as image:
            yield image  # type: ignore[misc]  # an LZMAFile reads as any other
    else:
        with path.open("rb") as image:
            yield image


def _chunks(image: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        while chunk := image.read(_CHUNK):
            yield chunk
    except EOFError:
        raise InputError(f"{path} is cut off; download it again.", path=str(path)) from None
    except lzma.LZMAError as error:
        raise InputError(f"{path} is damaged ({error}); download it again.", path=str(path)) from None


def _compare_checksum(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InputError(
            f"{path} has the SHA-256 {found} and not {expected}: it is damaged, or another file; download it again.",
            path=str(path),
        )


def _outside(chunk: bytes, at: int, boot: tuple[int, int]) -> bytes:
    """What of a chunk at an offset does not belong to the boot partition."""
    start, end = (min(max(edge - at, 0), len(chunk)) for edge in boot)
    return chunk[:start] + chunk[end:]


_REMEDIES = {
    errno.EBUSY: "somebody uses it; unmount it and close what shows it",
    errno.EACCES: "you may not; run the playbook with --become --ask-become-pass",
    errno.EPERM: "you may not; run the playbook with --become --ask-become-pass",
    errno.EROFS: "it is read-only",
    errno.ENOSPC: "there is no more room",
    errno.EIO: "the card does not answer properly; take another one",
}


def _trouble(target: Path, error: OSError, verb: str) -> HostError:
    return HostError(
        f"Could not {verb} {target}: {_REMEDIES.get(error.errno or 0, error.strerror or str(error))}.", path=str(target)
    )
