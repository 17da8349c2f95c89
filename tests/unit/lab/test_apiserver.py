# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bare API server does around its processes; the processes themselves are tested in tests/apiserver."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.lab import apiserver

NOBODYS_PID = 2**22 + 1  # above the highest that the kernel gives


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def directory(tmp_path: Path, name: str, owner: object) -> Path:
    path = tmp_path / name
    path.mkdir()
    if owner is not None:
        (path / "owner.pid").write_text(f"{owner}\n")
    return path


def test_only_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    abandoned = directory(tmp_path, "hearth-apiserver-abandoned", NOBODYS_PID)
    others = [
        directory(tmp_path, "hearth-apiserver-running", os.getpid()),
        directory(tmp_path, "hearth-apiserver-kept", None),
        directory(tmp_path, "hearth-apiserver-beginning", ""),
        directory(tmp_path, "something-else", NOBODYS_PID),
    ]
    apiserver.remove_abandoned()
    assert not abandoned.exists()
    assert all(other.exists() for other in others)


def test_free_ports_differ() -> None:
    ports = apiserver.free_ports(20)
    assert len(set(ports)) == 20
