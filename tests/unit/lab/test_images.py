# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of images: complete, and of one mind with the double of k3s."""

from __future__ import annotations

import re
import tarfile
from dataclasses import replace

import pytest

from tests.lab import debian, images
from tests.lab.builds import DOUBLE


def test_the_airgap_images_are_those_that_the_double_asks_for() -> None:
    asked_for = re.findall(r'Image\s*=\s*"([^"]+)"', (DOUBLE / "images.go").read_text())
    assert asked_for
    assert {f"docker.io/{name}" for name in asked_for} == {image.name for image in images.AIRGAP}


def test_tags_of_built_programs_are_their_versions() -> None:
    for image in images.AIRGAP:
        for program in image.programs.values():
            assert image.name.rpartition(":")[2].removeprefix("v") == program.version.removeprefix("v")


@pytest.mark.parametrize("image", [images.NGINX, images.POSTGRESQL], ids=lambda image: image.name)
def test_services_do_not_run_as_root(image: images.ImageRecipe) -> None:
    user = image.config["User"].split(":")[0]
    passwd = next(entry.content for entry in image.entries if entry.path == "etc/passwd")
    assert isinstance(passwd, bytes)
    assert user != "0"
    assert f":x:{user}:" in passwd.decode()


def test_a_changed_recipe_is_another_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    before = images.archive_path("nginx")
    changed = replace(images.NGINX, config={**images.NGINX.config, "User": "0:0"})
    monkeypatch.setattr(images, "ARCHIVES", {"nginx": (changed,)})
    assert images.archive_path("nginx") != before


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("./usr/sbin/nginx", True),
        ("./usr/bin/perl", False),
        ("./usr/bin", True),
        ("./usr/share/doc/nginx/copyright", False),
        ("./usr/share/doc", False),
        ("./usr/share/nginx/html/index.html", True),
        ("./usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("./usr/lib/x86_64-linux-gnu/libLLVM.so.19.1", False),
        ("./etc/resolv.conf", False),
        ("./", False),
    ],
)
def test_only_what_a_container_needs_is_taken_of_a_package(path: str, wanted: bool) -> None:
    assert debian.wanted(tarfile.TarInfo(path), ["nginx"]) is wanted


def test_no_file_makes_a_process_root() -> None:
    member = tarfile.TarInfo("./usr/sbin/nginx")
    member.mode = 0o6755
    assert debian.wanted(member, ["nginx"])
    assert member.mode == 0o755
