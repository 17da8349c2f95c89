# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says of a machine; that two of them copy is tested where it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.modules.volume_copy import measure


def test_what_is_left_of_a_copy_is_told_and_counts_as_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _path: disk)  # others write to it meanwhile
    stored, target = tmp_path / "pv", tmp_path / "pv.moved-1"
    for directory in (stored, tmp_path / "pv.moved-1.incoming"):
        directory.mkdir()
        (directory / "file").write_bytes(bytes(100_000))
    said = measure([str(stored)], [str(target)])
    assert (list(said["stored"]), said["content"]) == ([str(stored)], {str(stored): "filled"})
    assert 100_000 <= said["left"] < 120_000
    assert said["room"] == measure([str(stored)], [])["room"] + said["left"]
    assert measure([], []) == {"stored": {}, "content": {}, "left": 0, "room": 0}
