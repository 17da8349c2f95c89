# SPDX-License-Identifier: GPL-3.0-or-later
"""Recipes of programs: when a key changes, and what a failed or interrupted build leaves."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import builds
from tests.lab.errors import LabError
from tests.lab.progress import Progress
from tests.lab.recipe import Recipe

MAIN = 'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'  # to stderr, and quickly built


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    directory = tmp_path / "sources"
    directory.mkdir()
    contents = {"go.mod": "module example\n\ngo 1.21\n", "main.go": MAIN, "main_test.go": "package main\n"}
    for name, content in contents.items():
        (directory / name).write_text(content)
    return {name: directory / name for name in contents}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, but for Go's: compiling the standard library would take most of a minute."""
    if go := shutil.which("go"):
        compiled = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        monkeypatch.setenv("GOCACHE", compiled)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def recipe(sources: dict[str, Path], **changes: object) -> Recipe:
    return replace(Recipe("example", "v1", sources), **changes)  # type: ignore[arg-type]


def test_what_changes_the_program_changes_its_key(sources: dict[str, Path]) -> None:
    keys = {
        recipe(sources).key,
        recipe(sources, tags=("netgo",)).key,
        recipe(sources, linker=("-X", "main.version=v1")).key,
        recipe(sources, cgo=True).key,
        recipe(sources, payload={"payload/other": Recipe("other", "v1", sources)}).key,
    }
    sources["main.go"].write_text(MAIN.replace("none", "some"))
    keys.add(recipe(sources).key)
    assert len(keys) == 6


def test_tests_of_the_sources_do_not_change_the_key(sources: dict[str, Path]) -> None:
    before = recipe(sources).key
    sources["main_test.go"].write_text("package main\n\n// more\n")
    assert recipe(sources).key == before


def test_the_double_is_two_versions_with_their_own_modules() -> None:
    newest, older = (builds.double(version) for version in builds.K3S_VERSIONS)
    assert newest.files["go.mod"] != older.files["go.mod"]
    assert newest.executable != older.executable
    assert "main.version=v1.36.3+k3s1" in newest.linker
    assert set(newest.payload) == {"payload/kine"}


def test_an_unknown_version_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LabError, match=r"v1\.2\.3.*v1\.36\.3\+k3s1, v1\.35\.4\+k3s1"):
        builds.double("v1.2.3+k3s1")


def test_every_module_program_is_pinned_by_its_checksums() -> None:
    for program in builds.PROGRAMS.values():
        requirement = program.package.split("/cmd/")[0]
        assert f"{requirement} {program.version} h1:" in program.files["go.sum"].read_text()


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine")
def test_a_program_is_built_once(sources: dict[str, Path]) -> None:
    stream = io.StringIO()
    stamped = recipe(sources, linker=("-X", "main.version=v1"))
    program = builds.build(stamped, Progress(stream))
    assert subprocess.run([program], capture_output=True, text=True, check=True).stderr == "v1\n"
    assert "building v1" in stream.getvalue()

    built = program.stat().st_mtime_ns
    quiet = io.StringIO()
    assert builds.build(stamped, Progress(quiet)) == program
    assert (program.stat().st_mtime_ns, quiet.getvalue()) == (built, "")


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine")
def test_a_failed_build_says_why_and_leaves_nothing(sources: dict[str, Path], tmp_path: Path) -> None:
    sources["main.go"].write_text("package main\n\nfunc main() { undefinedName() }\n")
    with pytest.raises(LabError, match="undefined: undefinedName"):
        builds.build(recipe(sources), Progress(io.StringIO()))
    assert not recipe(sources).executable.exists()
    assert [path.name for path in (tmp_path / "cache/hearth/go").iterdir() if path.name.startswith(".build-")] == []


def test_a_machine_without_go_is_told_what_to_install(
    sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.lab.requirements._find", lambda name: None)
    with pytest.raises(LabError, match="apt-get install --yes golang-go"):
        builds.build(recipe(sources), Progress(io.StringIO()))


@pytest.mark.skipif(shutil.which("go") is None, reason="no Go on this machine")
def test_sources_that_change_meanwhile_are_not_built_under_the_old_key(sources: dict[str, Path]) -> None:
    example = recipe(sources)
    assert not example.executable.exists()  # which fixes the key
    sources["main.go"].write_text(MAIN.replace("none", "edited"))
    with pytest.raises(LabError, match="changed while it was about to be built"):
        builds.build(example, Progress(io.StringIO()))
    assert not example.executable.exists()
