# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that puts a volume into a backup and back: what it keeps and refuses, what an interruption leaves."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILES = Path(__file__).parents[3] / "roles" / "backup" / "files"
NAME = "20261127T030000Z"
CLAIM = "blog/uploads"
PASSPHRASE = "correct horse battery"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """On a machine whose root is a temporary directory."""
    monkeypatch.syspath_prepend(str(FILES))
    usual = os.umask(0o077)  # the programs begin with that
    found = importlib.import_module("hearth_volume")
    monkeypatch.setattr(found, "RECORD", tmp_path / "restored-volumes.json")
    yield found
    os.umask(usual)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A directory as a pod leaves it."""
    directory = tmp_path / "pi1" / "pvc-1"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "text").write_text("kept")
    (directory / "deep" / "text").chmod(0o640)
    (directory / "link").symlink_to("deep/text")
    with (directory / "holes").open("wb") as file:
        file.truncate(8 << 20)
    directory.chmod(0o2775)
    os.mknod(directory / "socket", stat.S_IFSOCK | 0o600)
    return directory


def archived(program: ModuleType, stored: Path, tmp_path: Path, passphrase: str = "") -> Path:
    """A backup on the controller with one volume, which shall lie in another place than the one it comes from."""
    backup = tmp_path / "backup"
    taken = program.archive(stored, backup, "blog.uploads.volume", ME, passphrase)
    volume = {"claim": CLAIM, "node": "pi1", "path": str(tmp_path / "pi4" / "deeper" / "pvc-1"), **taken}
    manifest = {
        "format": 1,
        "name": NAME,
        "cluster": "0a" * 32,
        "encrypted": bool(passphrase),
        "files": [taken["archive"]],
        "volumes": [volume],
    }
    (backup / "manifest.json").write_text(json.dumps(manifest))
    return backup


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_volume_comes_back_as_it_was(program: ModuleType, stored: Path, tmp_path: Path, passphrase: str) -> None:
    backup = archived(program, stored, tmp_path, passphrase)
    (packed,) = backup.glob("*.volume.tar.gz*")
    assert oct(packed.stat().st_mode & 0o777) == "0o600"
    assert tarfile.is_tarfile(packed) is not bool(passphrase)
    assert program.put(backup, CLAIM, passphrase, again=False)
    directory = tmp_path / "pi4" / "deeper" / "pvc-1"
    assert (directory / "link").read_text() == "kept"
    assert not (directory / "socket").exists()
    assert (directory / "holes").stat().st_blocks == 0
    assert oct(directory.stat().st_mode) == oct(stored.stat().st_mode)
    assert (directory / "deep" / "text").stat().st_mode == (stored / "deep" / "text").stat().st_mode
    assert oct(directory.parent.stat().st_mode & 0o777) == "0o755"
    assert [path.name for path in directory.parent.iterdir()] == ["pvc-1"]


def test_what_changes_meanwhile_is_counted(
    program: ModuleType, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "tar"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'tar: ./a: file changed as we read it' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert program.archive(stored, tmp_path / "backup", "v", ME, "")["changed"] == 1
    fake.write_text("#!/bin/sh\necho 'tar: ./a: Read error' >&2\necho 'tar: exiting' >&2\nexit 2\n")
    with pytest.raises(program.BackupError, match=r"could not be read: tar: \./a: Read error"):
        program.archive(stored, tmp_path / "backup", "v", ME, "")


def test_what_is_no_directory_is_refused(program: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(program.BackupError, match="there is no directory"):
        program.archive(tmp_path / "nowhere", tmp_path / "backup", "v", ME, "")
    with pytest.raises(program.BackupError, match="is a file system of its own"):
        program.archive(Path("/proc"), tmp_path / "backup", "v", ME, "")
    assert not (tmp_path / "backup").exists()


def test_content_is_replaced_on_the_word_alone_and_kept(program: ModuleType, stored: Path, tmp_path: Path) -> None:
    backup, directory = archived(program, stored, tmp_path), tmp_path / "pi4" / "deeper" / "pvc-1"
    directory.mkdir(parents=True)
    (directory / "mine").write_text("mine")
    with pytest.raises(program.BackupError, match="has content; nothing was changed in it"):
        program.put(backup, CLAIM, "", again=False)
    assert (directory / "mine").read_text() == "mine"
    assert program.put(backup, CLAIM, "", again=True)
    assert (directory / "link").read_text() == "kept"
    (aside,) = directory.parent.glob("pvc-1.before-restore-*")
    aside = aside.rename(directory.parent / "pvc-1.before-restore-1")
    assert program.put(backup, CLAIM, "", again=True)
    assert len(list(directory.parent.glob("pvc-1.before-restore-*"))) == 2
    assert (aside / "mine").read_text() == "mine"


def test_a_volume_has_its_turn_once(program: ModuleType, stored: Path, tmp_path: Path) -> None:
    backup, directory = archived(program, stored, tmp_path), tmp_path / "pi4" / "deeper" / "pvc-1"
    directory.mkdir(parents=True)
    assert program.put(backup, CLAIM, "", again=False), "an empty directory is nobody's"
    (directory / "link").unlink()
    assert not program.put(backup, CLAIM, "", again=False)
    assert not (directory / "link").exists()


def test_a_killed_run_leaves_nothing_in_the_place(program: ModuleType, stored: Path, tmp_path: Path) -> None:
    backup, directory = archived(program, stored, tmp_path), tmp_path / "pi4" / "deeper" / "pvc-1"
    (directory.parent / "pvc-1.incoming" / "half").mkdir(parents=True)
    program.RECORD.write_text(json.dumps({"backup": NAME, "claims": [CLAIM]}))  # killed before the very last step
    assert program.put(backup, CLAIM, "", again=False)
    assert sorted(path.name for path in directory.iterdir()) == ["deep", "holes", "link"]
    assert [path.name for path in directory.parent.iterdir()] == ["pvc-1"]


@pytest.mark.parametrize(("passphrase", "word"), [("", "is encrypted"), ("wrong", "backup_passphrase is not the one")])
def test_an_encrypted_volume_wants_its_passphrase(
    program: ModuleType, stored: Path, tmp_path: Path, passphrase: str, word: str
) -> None:
    backup = archived(program, stored, tmp_path, PASSPHRASE)
    with pytest.raises(program.BackupError, match=word):
        program.put(backup, CLAIM, passphrase, again=False)
    assert not list((tmp_path / "pi4").rglob("pvc-1*"))


def test_damage_is_found_before_anything_is_unpacked(program: ModuleType, stored: Path, tmp_path: Path) -> None:
    backup = archived(program, stored, tmp_path)
    (packed,) = backup.glob("*.volume.tar.gz")
    packed.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(program.BackupError, match="is damaged"):
        program.put(backup, CLAIM, "", again=False)
    assert not list((tmp_path / "pi4").rglob("pvc-1*"))
