# SPDX-License-Identifier: GPL-3.0-or-later
"""Release directories: shaped as the real ones, never half changed, served by a process that ends when it is told."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

import pytest

from tests.lab import builds, images, paths, releases
from tests.lab.builds import NEWEST_K3S
from tests.lab.errors import LabError
from tests.lab.progress import Progress
from tests.lab.recipe import Recipe


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """What would be built, put in place of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "RUNTIME_ROOT", tmp_path / "run")
    files = {"k3s": tmp_path / "hearth" / "program", "images": tmp_path / "hearth" / "archive"}
    files["k3s"].parent.mkdir()
    for name, file in files.items():
        file.write_text(name)

    def build(recipe: Recipe, progress: Progress | None = None) -> Path:
        return files["k3s"]

    def archive(name: str, progress: Progress | None = None) -> Path:
        return files["images"]

    monkeypatch.setattr(builds, "build", build)
    monkeypatch.setattr(images, "archive", archive)
    return files


def listed(directory: Path) -> dict[str, str]:
    lines = (directory / "sha256sum-amd64.txt").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_a_release_has_the_files_of_a_real_one(sources: dict[str, Path]) -> None:
    directory = releases.release(NEWEST_K3S)
    names = ["k3s", "k3s-airgap-images-amd64.tar.zst", "sha256sum-amd64.txt"]
    assert directory.name == NEWEST_K3S
    assert sorted(path.name for path in directory.iterdir()) == names
    assert listed(directory) == {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names[:2]
    }


def test_a_second_call_changes_nothing(sources: dict[str, Path]) -> None:
    directory = releases.release(NEWEST_K3S)
    before = {path: path.stat().st_mtime_ns for path in directory.iterdir()}
    releases.release(NEWEST_K3S)
    assert {path: path.stat().st_mtime_ns for path in directory.iterdir()} == before


def test_a_new_build_replaces_the_old_one(sources: dict[str, Path]) -> None:
    old = listed(releases.release(NEWEST_K3S))["k3s"]
    sources["k3s"] = sources["k3s"].with_name("newer")
    sources["k3s"].write_text("a newer k3s")
    directory = releases.release(NEWEST_K3S)
    assert (directory / "k3s").read_text() == "a newer k3s"
    assert listed(directory)["k3s"] == hashlib.sha256(b"a newer k3s").hexdigest() != old


def test_every_instance_has_its_own_port() -> None:
    assert releases.url("hearth") == "http://127.0.0.1:18077"
    assert releases.port("other") != releases.port("hearth")


def test_the_server_runs_on_until_it_is_stopped(sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "port", lambda instance: 18999)
    releases.release(NEWEST_K3S)
    address = releases.serve_releases("unit")
    try:
        assert releases.serve_releases("unit") == address
        with urllib.request.urlopen(f"{address}/{NEWEST_K3S.replace('+', '%2B')}/k3s") as answer:
            assert answer.read() == b"k3s"
    finally:
        releases.stop_serving("unit")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=1)
    releases.stop_serving("unit")


def test_a_process_id_that_became_anothers_is_left_alone(sources: dict[str, Path], tmp_path: Path) -> None:
    pid_file = tmp_path / "run" / "unit" / "release-server.pid"
    pid_file.parent.mkdir(parents=True)
    pid_file.write_text("1\n")
    releases.stop_serving("unit")
    assert not pid_file.exists()


@pytest.mark.parametrize(("chosen", "expected"), [(None, False), ("double", False), ("release", True)])
def test_the_real_release_is_taken_on_request(
    chosen: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEARTH_LAB_K3S", raising=False)
    if chosen:
        monkeypatch.setenv("HEARTH_LAB_K3S", chosen)
    assert releases.takes_real_one() is expected


def test_another_wish_is_refused_with_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_LAB_K3S", "relaese")
    with pytest.raises(LabError, match="HEARTH_LAB_K3S is 'relaese'; it may be double"):
        releases.takes_real_one()
