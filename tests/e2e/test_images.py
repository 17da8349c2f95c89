# SPDX-License-Identifier: GPL-3.0-or-later
"""The archives of images as they are really made: what containerd will find in them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import need
from tests.lab import debian, images, requirements

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Unpacked:
    config: Mapping[str, Any]
    files: Mapping[str, tarfile.TarInfo]


@pytest.fixture(scope="module")
def unpacked() -> dict[str, Unpacked]:
    """Every image of every archive, by name."""
    need((*debian.TOOLS, *images.TOOLS, *requirements.GO))
    return {name: image for archive in images.ARCHIVES for name, image in read(archive).items()}


def read(archive: str) -> dict[str, Unpacked]:
    command = ["zstd", "--decompress", "--stdout", "--quiet", str(images.archive(archive))]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        blobs = {member.name: stream.read() for member in opened if (stream := opened.extractfile(member))}

    def blob(descriptor: Mapping[str, Any]) -> bytes:
        return blobs[f"blobs/{descriptor['digest'].replace(':', '/')}"]

    found = {}
    for descriptor in json.loads(blobs["index.json"])["manifests"]:
        manifest = json.loads(blob(descriptor))
        with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]))) as layer:
            files = {member.name: member for member in layer}
        name = descriptor["annotations"]["io.containerd.image.name"]
        found[name] = Unpacked(json.loads(blob(manifest["config"]))["config"], files)
    return found


def test_every_image_of_the_table_is_there(unpacked: dict[str, Unpacked]) -> None:
    assert set(unpacked) == {recipe.name for archive in images.ARCHIVES.values() for recipe in archive}


def test_every_entry_point_is_a_program_in_the_image(unpacked: dict[str, Unpacked]) -> None:
    for name, image in unpacked.items():
        program = image.config.get("Entrypoint", image.config.get("Cmd"))[0]
        path = dict(variable.split("=", 1) for variable in image.config["Env"])["PATH"]
        places = [program] if program.startswith("/") else [f"{directory}/{program}" for directory in path.split(":")]
        entry = next(image.files[place[1:]] for place in places if place[1:] in image.files)
        assert entry.issym() or entry.mode & 0o111 == 0o111, name


@pytest.mark.parametrize(
    ("image", "files"),
    [
        ("hearth.local/nginx:trixie", ["etc/nginx/mime.types", "usr/share/nginx/html/index.html", "usr/bin/sh"]),
        (
            "hearth.local/postgresql:17",
            ["usr/lib/postgresql/17/bin/initdb", "usr/lib/postgresql/17/bin/psql", "usr/share/zoneinfo/Europe/Zurich"],
        ),
        ("docker.io/rancher/mirrored-library-busybox:1.36.1", ["usr/bin/nslookup", "usr/bin/wget", "usr/bin/httpd"]),
    ],
)
def test_services_find_their_files(unpacked: dict[str, Unpacked], image: str, files: list[str]) -> None:
    assert set(files) <= set(unpacked[image].files)


def test_nothing_of_this_machine_is_in_an_image(unpacked: dict[str, Unpacked]) -> None:
    for name, image in unpacked.items():
        assert not {"etc/resolv.conf", "etc/hostname", "etc/apt"} & set(image.files), name
        assert {file.mtime for file in image.files.values()} == {0}, name
        assert {file.uname + file.gname for file in image.files.values()} == {""}, name


def test_no_program_makes_a_process_root(unpacked: dict[str, Unpacked]) -> None:
    special = [
        f"{name}: {path}"
        for name, image in unpacked.items()
        for path, file in image.files.items()
        if file.mode & 0o6000
    ]
    assert special == []


def test_dynamic_programs_find_their_loader(unpacked: dict[str, Unpacked]) -> None:
    for name in ("hearth.local/nginx:trixie", "hearth.local/postgresql:17"):
        files = unpacked[name].files
        assert files["lib64"].linkname == "usr/lib64"
        loader = files["usr/lib64/ld-linux-x86-64.so.2"]
        target = os.path.normpath(f"usr/lib64/{loader.linkname}") if loader.issym() else loader.name
        assert files[target].size > 0
