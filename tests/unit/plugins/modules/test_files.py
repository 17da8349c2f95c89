# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a task runs it, in a directory of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.modules import files


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*entries: dict[str, Any], check: bool = False) -> dict[str, Any]:
        arguments = {"files": list(entries), "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            files.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def test_check_run_and_run_again(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config.yaml"
    entry = {"path": str(path), "content": "a: 1\n", "mode": "0640"}
    assert run(entry, check=True)["changed_paths"] == [str(path)]
    assert not path.parent.exists()
    assert run(entry)["changed_paths"] == [str(path)]
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a: 1\n", 0o640)
    again = run(entry)
    assert (again["changed"], again["changed_paths"], again["newest"]) == (False, [], path.stat().st_mtime)


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(run: Any, tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("x")
    old.chmod(0o644)
    run({"path": str(new), "content": "1"}, {"path": str(old), "content": "2"})
    assert [path.stat().st_mode & 0o777 for path in (new, old)] == [0o600, 0o644]


def test_one_bad_entry_and_nothing_is_written(run: Any, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.mkdir()
    result = run({"path": str(good), "content": "1"}, {"path": str(bad), "content": "2"})
    assert str(bad) in result["msg"]
    assert not good.exists()


def test_a_secret_is_written_and_shown_nowhere(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    result = run({"path": str(path), "secret_content": "very-hidden-token\n"})
    assert path.read_text() == "very-hidden-token\n"
    assert "very-hidden-token" not in json.dumps(result)
    assert result["diff"][0]["after_header"] == str(path)


def test_a_source_on_the_machine_is_copied(run: Any, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("text")
    run({"path": str(tmp_path / "copy"), "src": str(tmp_path / "source")})
    assert (tmp_path / "copy").read_text() == "text"


def test_a_link_stays_a_link(run: Any, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    run({"path": str(tmp_path / "link"), "content": "new"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_is_removed_is_told_of_by_the_time_of_a_file_that_stays(run: Any, tmp_path: Path) -> None:
    kept, gone = tmp_path / "config.yaml", tmp_path / "registries.yaml"
    kept.write_text("a: 1")
    gone.write_text("b: 2")
    os.utime(kept, (1000, 1000))
    entries = [{"path": str(kept), "content": "a: 1"}, {"path": str(gone), "state": "absent", "touches": str(kept)}]
    assert run(*entries, check=True)["newest"] == 1000
    removed = run(*entries)
    assert removed["changed_paths"] == [str(gone)]
    assert removed["newest"] == kept.stat().st_mtime > 1000
    assert run(*entries) == {**removed, "changed": False, "changed_paths": [], "diff": []}


def test_nothing_is_touched_that_is_not_there(run: Any, tmp_path: Path) -> None:
    gone, never = tmp_path / "registries.yaml", tmp_path / "config.yaml"
    gone.write_text("b: 2")
    assert run({"path": str(gone), "state": "absent", "touches": str(never)})["newest"] is None
    assert not never.exists()


def test_absent_removes_a_file_and_a_tree(run: Any, tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    entries = [{"path": str(tmp_path / name), "state": "absent"} for name in ("tree", "file", "never")]
    assert run(*entries)["changed_paths"] == [str(tmp_path / "tree"), str(tmp_path / "file")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5, 6])
def test_what_somebody_else_removes_meanwhile_is_absent_as_well(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    for name in ("a", "deep/b", "deep/c"):
        (tree / name).write_text("x")
    usual = Path.iterdir
    moments = iter(range(1, 100))

    def lose() -> None:
        if next(moments) == moment:
            shutil.rmtree(tree)

    def list_and_lose(directory: Path) -> Iterator[Path]:
        """Another one removes it all before a directory is listed, or as soon as it has been."""
        lose()
        entries = list(usual(directory))
        lose()
        return iter(entries)

    monkeypatch.setattr(Path, "iterdir", list_and_lose)
    assert run({"path": str(tree), "state": "absent"})["changed_paths"] == [str(tree)]
    assert not tree.exists()


def test_a_mount_point_is_emptied_and_then_as_absent_as_it_can_be(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "tree" / "disk"
    disk.mkdir(parents=True)
    (disk / "file").write_text("x")
    (tmp_path / "tree" / "other").mkdir()
    is_mount = Path.is_mount
    monkeypatch.setattr(Path, "is_mount", lambda path: path == disk or is_mount(path))
    entry = {"path": str(tmp_path / "tree"), "state": "absent"}
    assert run(entry)["changed"]
    assert list(tmp_path.rglob("*")) == [tmp_path / "tree", disk]
    assert not run(entry)["changed"]


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"content": "x", "mode": "u=rw"}, "octal"),
        ({"content": "x", "owner": "nobody-of-this-name"}, "nobody-of-this-name"),
        ({"src": "/does/not/exist"}, "/does/not/exist"),
        ({}, "secret_content"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(
    run: Any, tmp_path: Path, entry: dict[str, Any], word: str
) -> None:
    result = run({"path": str(tmp_path / "f"), **entry})
    assert word in result["msg"]
    assert not (tmp_path / "f").exists()
