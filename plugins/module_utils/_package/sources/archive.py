# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Archives, read in memory: nothing of them is ever written where they say."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..._errors import FetchError
from .tree import LARGEST, Tree, refuse_too_much

_MAGIC = {b"\x1f\x8b": "tar", b"\xfd7zXZ\x00": "tar", b"BZh": "tar", b"PK\x03\x04": "zip"}
_TAR_MAGIC_AT = 257
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError),
    *(RuntimeError, NotImplementedError),  # a zip that is encrypted, or compressed in a way nobody uses
)

_MOST_LINKS_IN_A_ROW = 20


def looks_like_archive(raw: bytes) -> bool:
    return _kind_of(raw) != ""


def unpack(raw: bytes, origin: str) -> Tree:
    """The files of an archive; `origin` is named in errors."""
    kind = _kind_of(raw)
    if not kind:
        raise FetchError(f"{origin} is no tar or zip archive, whatever its name says")
    unpacking = _Unpacking(origin)
    try:
        if kind == "zip":
            _read_zip(raw, unpacking)
        else:
            _read_tar(raw, unpacking)
    except _DAMAGE as error:
        raise FetchError(f"{origin} is damaged: {error}; remove what is kept of it and try again") from error
    return unpacking.finish()


def _kind_of(raw: bytes) -> str:
    if raw[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if raw.startswith(magic)), "")


@dataclass
class _Unpacking:
    """What was unpacked so far, and how much of it there is."""

    origin: str
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    size: int = 0
    members: int = 0

    def announce(self, size: int) -> None:
        """Refuse what is too much before it is read."""
        self.size += size
        self.members += 1
        refuse_too_much(self.size, self.members, self.origin)

    def place(self, name: str) -> str:
        """The path of a member, refused where it points outside."""
        path = posixpath.normpath(name.replace("\\", "/"))
        if path.startswith(("/", "../")) or path == ".." or path[1:2] == ":":
            raise FetchError(f"{self.origin} has a member {name!r}, which points outside of it; it is refused")
        return path

    def add_link(self, name: str, target: str, *, from_top: bool) -> None:
        path = self.place(name)
        if not from_top and target.startswith("/"):
            raise FetchError(f"{self.origin}: the link {name!r} points outside of it; it is refused")
        self.links[path] = self.place(target if from_top else posixpath.join(posixpath.dirname(path), target))

    def finish(self) -> Tree:
        """The files, with links as copies of what they point to; a link into nowhere is left out."""
        for path in self.links:
            self.files.update(self._behind(path))
        return self.files

    def _behind(self, path: str) -> Iterator[tuple[str, bytes]]:
        target = path
        for _hop in range(_MOST_LINKS_IN_A_ROW):
            if target not in self.links:
                break
            target = self.links[target]
        if target in self.files:
            yield path, self.files[target]
            return
        inside = [(name, raw) for name, raw in self.files.items() if name.startswith(f"{target}/")]
        for name, raw in inside:
            if not f"{path}/".startswith(f"{target}/"):  # a link to a folder above itself has no end
                self.announce(len(raw))
                yield path + name[len(target) :], raw


class _Limited(io.RawIOBase):
    """A stream that refuses to be longer than any archive of manifests, headers and all."""

    def __init__(self, stream: Any, origin: str) -> None:
        self._stream, self._origin, self._size = stream, origin, 0

    def read(self, size: int = -1) -> bytes:
        raw: bytes = self._stream.read(size)
        self._size += len(raw)
        refuse_too_much(self._size - LARGEST // 4, 0, self._origin)  # headers come on top of files
        return raw


def _decompressed(raw: bytes) -> Any:
    packed = io.BytesIO(raw)
    if raw.startswith(b"\x1f\x8b"):
        return gzip.open(packed)
    if raw.startswith(b"BZh"):
        return bz2.open(packed)
    return lzma.open(packed) if raw.startswith(b"\xfd7zXZ") else packed


def _read_tar(raw: bytes, unpacking: _Unpacking) -> None:
    stream = _Limited(_decompressed(raw), unpacking.origin)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            unpacking.announce(member.size if member.isreg() else 0)
            if member.isreg():
                content = archive.extractfile(member)
                unpacking.files[unpacking.place(member.name)] = content.read() if content else b""
            elif member.issym() or member.islnk():
                unpacking.add_link(member.name, member.linkname, from_top=member.islnk())
            elif not member.isdir():
                raise FetchError(f"{unpacking.origin}: {member.name!r} is a device or a pipe; it is refused")


def _read_zip(raw: bytes, unpacking: _Unpacking) -> None:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for member in archive.infolist():
            path = unpacking.place(member.filename)
            unpacking.announce(member.file_size)
            if member.is_dir():
                continue
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                unpacking.add_link(member.filename, archive.read(member).decode(errors="replace"), from_top=False)
            else:
                with archive.open(member) as content:  # never more than the archive announces
                    unpacking.files[path] = content.read(member.file_size)


def pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar archive that is the same bytes for the same files, wherever and whenever it is made."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, raw in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return packed.getvalue()
