# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers and archives, read back by the standard library as a container runtime would read them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.lab.oci import Entry, Image, write_archive, write_layer

CONFIG = {"Entrypoint": ["/it"], "User": "33:33"}


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    entries = [
        Entry("usr/bin/it", program, mode=0o755),
        Entry("etc/passwd", b"root:x:0:0::/:\n"),
        Entry("bin", link="usr/bin"),
        Entry("data", directory=True, mode=0o700, owner=999),
    ]
    path = tmp_path / "layer.tar"
    with path.open("wb") as target:
        write_layer(target, entries)
    return path


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return {member.name: member for member in archive}


def blobs(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name: stream.read() for member in opened if (stream := opened.extractfile(member))}


def packed(images: list[Image]) -> bytes:
    target = io.BytesIO()
    write_archive(target, images)
    return target.getvalue()


def test_a_layer_keeps_kinds_modes_and_owners(layer: Path) -> None:
    found = members(layer)
    assert list(found) == sorted(found)
    assert (found["usr/bin/it"].mode, found["usr/bin/it"].size) == (0o755, 4)
    assert (found["bin"].issym(), found["bin"].linkname) == (True, "usr/bin")
    assert (found["data"].isdir(), found["data"].mode, found["data"].uid, found["data"].gid) == (True, 0o700, 999, 999)
    assert {member.mtime for member in found.values()} == {0}


def test_our_entries_take_the_place_of_those_of_the_base(layer: Path, tmp_path: Path) -> None:
    target = tmp_path / "second.tar"
    with tarfile.open(layer) as base, target.open("wb") as output:
        stream = [(member, base.extractfile(member) if member.isreg() else None) for member in base]
        write_layer(output, [Entry("etc/passwd", b"ours\n")], stream)
    with tarfile.open(target) as archive:
        names = archive.getnames()
        content = archive.extractfile("etc/passwd")
        assert content is not None
        assert content.read() == b"ours\n"
    assert sorted(names) == sorted(set(names)) == ["bin", "data", "etc/passwd", "usr/bin/it"]


def test_an_archive_holds_every_image_under_its_name(layer: Path) -> None:
    files = blobs(packed([Image("example.org/a:1", layer, CONFIG), Image("example.org/b:2", layer)]))
    index = json.loads(files["index.json"])
    names = [manifest["annotations"]["io.containerd.image.name"] for manifest in index["manifests"]]
    assert names == ["example.org/a:1", "example.org/b:2"]
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}

    def blob(descriptor: dict[str, Any]) -> bytes:
        content = files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        assert descriptor["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert descriptor["size"] == len(content)
        return content

    manifest = json.loads(blob(index["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    assert config["config"] == CONFIG
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert blob(manifest["layers"][0]) == layer.read_bytes()


def test_images_that_share_a_layer_store_it_once(layer: Path) -> None:
    one, two = packed([Image("a:1", layer)]), packed([Image("a:1", layer), Image("b:1", layer, CONFIG)])
    contents = list(blobs(two).values())
    assert contents.count(layer.read_bytes()) == 1
    assert len(blobs(two)) == len(blobs(one)) + 2


def test_the_same_images_give_the_same_bytes(layer: Path) -> None:
    images = [Image("example.org/a:1", layer, CONFIG)]
    assert packed(images) == packed(images)
