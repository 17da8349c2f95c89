# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images as files: layers made of entries, and archives in the OCI image layout that hold several images.

The same input always gives the same bytes: no clock, no owner names, entries in a fixed order.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

ARCHITECTURE = "amd64"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Entry:
    """A file, directory or symbolic link of a layer; ``content`` is a file of this machine or the bytes themselves."""

    path: str
    content: Path | bytes = b""
    mode: int = 0o644
    owner: int = 0
    directory: bool = False
    link: str = ""

    def header(self) -> tarfile.TarInfo:
        header = tarfile.TarInfo(self.path)
        header.mode, header.uid, header.gid = self.mode, self.owner, self.owner
        if self.link:
            header.type, header.linkname, header.mode = tarfile.SYMTYPE, self.link, 0o777
        elif self.directory:
            header.type = tarfile.DIRTYPE
        else:
            header.size = self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)
        return header

    def open(self) -> IO[bytes]:
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


@dataclass(frozen=True)
class Image:
    """A name, one layer, and how its program is started (the ``config`` object of OCI's image configuration)."""

    name: str
    layer: Path
    config: Mapping[str, Any] = field(default_factory=dict)


Stream = Iterable[tuple[tarfile.TarInfo, IO[bytes] | None]]


def write_layer(target: BinaryIO, entries: Sequence[Entry], base: Stream = ()) -> None:
    """A layer of ``base``, the members of another archive in their order, with ``entries`` added or in their place."""
    ours = {entry.path for entry in entries}
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for header, content in base:
            if header.name not in ours:
                header.mtime, header.uname, header.gname, header.pax_headers = 0, "", "", {}
                layer.addfile(header, content)
        for entry in sorted(entries, key=lambda entry: entry.path):
            with entry.open() as content:
                layer.addfile(entry.header(), content)


def write_archive(target: BinaryIO, images: Sequence[Image]) -> None:
    """One archive with all images, each under its name, as containerd imports it."""
    blobs: dict[str, Path | bytes] = {}
    manifests = [_add_image(image, blobs) for image in images]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path, content in _files(index, blobs):
            entry = Entry(path, content)
            with entry.open() as stream:
                archive.addfile(entry.header(), stream)


def _files(index: dict[str, Any], blobs: Mapping[str, Path | bytes]) -> Iterator[tuple[str, Path | bytes]]:
    yield "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
    yield "index.json", _json(index)
    for digest, content in sorted(blobs.items()):
        yield f"blobs/{digest.replace(':', '/')}", content


def _add_image(image: Image, blobs: dict[str, Path | bytes]) -> dict[str, Any]:
    layer = _add(blobs, LAYER, image.layer)
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = {"architecture": ARCHITECTURE, "os": "linux", "config": image.config, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _add(blobs, CONFIG, _json(config)),
        "layers": [layer],
    }
    platform = {"architecture": ARCHITECTURE, "os": "linux"}
    annotations = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name}
    return _add(blobs, MANIFEST, _json(manifest)) | {"platform": platform, "annotations": annotations}


def _add(blobs: dict[str, Path | bytes], media_type: str, content: Path | bytes) -> dict[str, Any]:
    if isinstance(content, Path):
        with content.open("rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        size = content.stat().st_size
    else:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        size = len(content)
    blobs[digest] = content
    return {"mediaType": media_type, "digest": digest, "size": size}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
