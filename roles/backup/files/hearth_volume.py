# SPDX-License-Identifier: GPL-3.0-or-later
"""A volume that is a directory of this machine: into a file of a backup, and back. Runs beside ``hearth_backup.py``.

Its pods run on while GNU tar reads it. What changes under its hands is counted, not mended: a database is asked for a
dump of its own. Owners are kept as numbers, as pods know them; sockets are left out. An encrypted archive never lies
on the disk in the clear.

On the way back the directory is unpacked beside its place and gets its name when it is complete, so that it is either
whole or not there. What was in its place is kept. A record says which volumes have had their turn, because one that
was put back may be in use, and have changed, when an interrupted restore goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from hearth_backup import (
    CHUNK,
    SEALED,
    BackupError,
    alone_in,
    answer,
    demand_opened,
    demand_passphrase,
    demand_room,
    described,
    intact,
    openssl_between,
    read_manifest,
    secret,
    write_private,
)

RECORD = Path("/var/lib/hearth/restored-volumes.json")
TAR = ["tar", "--numeric-owner", "--gzip", "--file=-"]
PACK = ["--create", "--sparse", "--warning=no-file-ignored"]
UNPACK = ["--extract", "--preserve-permissions", "--same-owner"]
CHANGED = 1  # the status with which tar says that files changed while it read them


# Into a backup


def archive(directory: Path, target: Path, name: str, owner: str, passphrase: str) -> dict[str, Any]:
    """Lay the archive of a directory out for one user to fetch, encrypted if there is a passphrase."""
    if not directory.is_dir():
        raise BackupError(f"there is no directory {directory}, in which the volume is meant to be")
    if directory.is_mount():
        raise BackupError(
            f"{directory} is a file system of its own, and only a directory in one could be put back: back it up where "
            "it is stored"
        )
    stored = stored_in(directory)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    demand_room(target, stored, "take its claim out of backup_volumes")
    path = target / f"{name}.tar.gz{SEALED if passphrase else ''}"
    with path.open("wb") as file, tempfile.TemporaryFile("w+") as errors:
        status = pack(directory, file, passphrase, errors)
        errors.seek(0)
        said = errors.read()
    if status not in (0, CHANGED):
        raise BackupError(f"{directory} could not be read: {first_line(said)}")
    for each in (path, target):
        shutil.chown(each, owner)
    return {"archive": described(path), "bytes": stored, "changed": len(said.splitlines()) if status else 0}


def pack(directory: Path, file: IO[bytes], passphrase: str, errors: IO[str]) -> int:
    with tar([*PACK, f"--directory={directory}", "."], errors, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not passphrase:
            shutil.copyfileobj(process.stdout, file, CHUNK)
        elif openssl_between(["-e", "-salt"], process.stdout, file, passphrase):
            raise BackupError(f"openssl could not encrypt what is in {directory}")
    return process.returncode


def stored_in(directory: Path) -> int:
    """How many bytes it takes, or took: files come and go meanwhile."""
    blocks = {}
    for folder, folders, files in os.walk(directory):
        for path in (Path(folder, name) for name in (*folders, *files)):
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                blocks[status.st_dev, status.st_ino] = status.st_blocks
    return 512 * sum(blocks.values())


# And back


def put(backup: Path, claim: str, passphrase: str, again: bool) -> bool:
    """Give a machine the directory that a backup has of a claim; tell whether it was not there already.

    again: also if something is there, which is kept aside.
    """
    manifest = read_manifest(backup)
    demand_passphrase(manifest, passphrase)
    volume = next(each for each in manifest["volumes"] if each["claim"] == claim and "archive" in each)
    directory = Path(volume["path"])
    make_way_to(directory)
    with alone_in(directory.parent):
        restored = restored_of(manifest["name"])
        if directory.exists() and claim in restored and not again:
            return False
        filled = directory.exists() and any(directory.iterdir())
        if filled and not again:
            raise BackupError(f"{directory} has content; nothing was changed in it")
        demand_room(directory.parent, volume["bytes"], "let it be on a larger disk")
        packed = intact(backup, volume["archive"])
        with unpacked_beside(directory, packed, passphrase if manifest.get("encrypted") else "") as incoming:
            if filled:
                set_aside(directory)
            elif directory.exists():
                directory.rmdir()
            write_private(RECORD, json.dumps({"backup": manifest["name"], "claims": sorted({*restored, claim})}))
            incoming.rename(directory)
    os.sync()
    return True


def make_way_to(directory: Path) -> None:
    """The directories in which it lies are everybody's to pass, as k3s makes them."""
    for parent in reversed([each for each in directory.parents if not each.exists()]):
        parent.mkdir()
        parent.chmod(0o755)


def restored_of(name: str) -> list[str]:
    """The claims of this backup that have had their turn."""
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    claims: list[str] = record["claims"] if record.get("backup") == name else []
    return claims


@contextlib.contextmanager
def unpacked_beside(directory: Path, packed: Path, passphrase: str) -> Iterator[Path]:
    """What was packed, until it gets its name; nothing stays of it if it does not."""
    incoming = directory.with_name(f"{directory.name}.incoming")
    shutil.rmtree(incoming, ignore_errors=True)  # of a run that was killed
    try:
        incoming.mkdir(mode=0o700)
        unpack(packed, incoming, passphrase)
        yield incoming
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def unpack(packed: Path, directory: Path, passphrase: str) -> None:
    sealed = 0
    with packed.open("rb") as file, tempfile.TemporaryFile("w+") as errors:
        with tar([*UNPACK, f"--directory={directory}"], errors, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # tar says why
                if passphrase:
                    sealed = openssl_between(["-d"], file, process.stdin, passphrase)
                else:
                    shutil.copyfileobj(file, process.stdin, CHUNK)
                process.stdin.close()
        errors.seek(0)
        said = errors.read()
    demand_opened(max(sealed, 0), packed.name)  # below zero: tar did not read on, and says why
    if process.returncode or sealed:
        raise BackupError(f"{packed.name} could not be unpacked beside {directory}: {first_line(said)}")


def set_aside(directory: Path) -> None:
    """Keep what is in the place of a volume. It is nobody's but the operator's to delete."""
    directory.rename(directory.with_name(f"{directory.name}.before-restore-{int(time.time())}"))


# What both need


@contextlib.contextmanager
def tar(
    arguments: Sequence[str], errors: IO[str], *, stdin: int | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """GNU tar, whose complaints are in a language that can be counted on."""
    plain = {**os.environ, "LC_ALL": "C"}
    try:
        process = subprocess.Popen([*TAR, *arguments], stdin=stdin, stdout=stdout, stderr=errors, env=plain)
    except FileNotFoundError:
        raise BackupError("there is no program tar on this machine: install it") from None
    with process:
        yield process


def first_line(text: str) -> str:
    """What went wrong; the lines after it say that something did."""
    return (text.splitlines() or ["it said nothing"])[0]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Put a volume of a cluster of k3s into a backup, and back.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("archive", help="lay it out to be fetched; the passphrase is read from standard input")
    verb.add_argument("directory", type=Path)
    verb.add_argument("target", type=Path)
    verb.add_argument("name")
    verb.add_argument("owner")
    verb.set_defaults(act=lambda given: archive(given.directory, given.target, given.name, given.owner, secret()))
    verb = verbs.add_parser("put", help="put it back; the passphrase is read from standard input")
    verb.add_argument("backup", type=Path)
    verb.add_argument("claim")
    verb.add_argument("--again", action="store_true", help="also if something is there, which is kept aside")
    verb.set_defaults(act=lambda given: put(given.backup, given.claim, secret(), given.again))
    return parser


if __name__ == "__main__":
    asked = arguments().parse_args()
    sys.exit(answer(lambda: asked.act(asked)))
