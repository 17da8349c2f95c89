# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Go is taken: the machine's own if it is new enough, else one that the machine's own fetches."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from tests.lab import toolchain
from tests.lab.errors import LabError
from tests.lab.progress import Progress

# A go command of a given version whose downloads come from a directory, or fail.
GO = """#!/bin/sh
case "$*" in
    "env GOVERSION") echo go{version} ;;
    "env GOHOSTOS") echo linux ;;
    "env GOHOSTARCH") echo amd64 ;;
    "mod download -json golang.org/toolchain@v0.0.1-go{newest}.linux-amd64") {download} ;;
    *) exit 1 ;;
esac
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GOTOOLCHAIN", raising=False)
    toolchain._ask.cache_clear()


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    path = tmp_path / "go.mod"
    path.write_text("module example\n\ngo 1.26.5\n")
    return path


def install_go(monkeypatch: pytest.MonkeyPatch, directory: Path, version: str, download: str = "exit 1") -> Path:
    go = directory / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO.format(version=version, newest=toolchain.NEWEST, download=download))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:{os.environ['PATH']}")
    return go


@pytest.mark.parametrize("version", ["1.26.5", "1.26.10", "1.27", "2.0.1"])
def test_a_go_that_is_new_enough_is_taken(
    tmp_path: Path, module_file: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    go = install_go(monkeypatch, tmp_path, version)
    assert toolchain.go_for(module_file, Progress(io.StringIO())) == go


def test_an_old_go_fetches_a_newer_one_once(tmp_path: Path, module_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module"
    for program in ("bin/go", "pkg/tool/linux_amd64/link"):
        (module / program).parent.mkdir(parents=True)
        (module / program).write_text("#!/bin/sh\n")
        (module / program).chmod(0o444)
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"Dir": str(module)}))
    install_go(monkeypatch, tmp_path, "1.19.8", f"cat {answer}; rm {answer}")
    stream = io.StringIO()
    go = toolchain.go_for(module_file, Progress(stream))
    assert f"fetching Go {toolchain.NEWEST}, for this machine has 1.19.8" in stream.getvalue()
    assert os.access(go, os.X_OK)
    assert os.access(go.parents[1] / "pkg/tool/linux_amd64/link", os.X_OK)
    assert toolchain.go_for(module_file, Progress(io.StringIO())) == go


def test_without_a_way_to_the_proxy_the_reason_is_told(
    tmp_path: Path, module_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_go(monkeypatch, tmp_path, "1.19.8", "echo dial tcp: no such host >&2; exit 1")
    with pytest.raises(LabError, match=r"could not be fetched: dial tcp: no such host; install it by hand"):
        toolchain.go_for(module_file, Progress(io.StringIO()))
    assert not list((tmp_path / "cache").rglob("bin/go"))


def test_who_forbids_other_toolchains_is_obeyed(
    tmp_path: Path, module_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_go(monkeypatch, tmp_path, "1.24.4")
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    with pytest.raises(LabError, match=r"Go 1\.26\.5 is needed, this machine has 1\.24\.4"):
        toolchain.go_for(module_file, Progress(io.StringIO()))
