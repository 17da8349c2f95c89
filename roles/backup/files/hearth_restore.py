# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a backup of a cluster in the place of what a server has. Runs on the server, beside ``hearth_backup.py``.

A restore has two halves. Until the data are in place, an interrupted one begins anew, and what it has done so far is
thrown away; what the server had before is kept aside. From then on the cluster lives, and is only completed. The note
``restore.json`` says which half it is, until the restore is over.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hearth_backup import (
    ARCHIVE,
    CHUNK,
    CONFIG_DIR,
    NODE_PASSWORD,
    SEALED,
    BackupError,
    alone_in,
    answer,
    check,
    demand_passphrase,
    demand_room,
    described,
    last_line,
    openssl,
    read_manifest,
    run,
    secret,
    write_private,
)

RECORD = Path("/var/lib/hearth/restore.json")
ASIDE = "server-before-restore-"
OF_ONE_THAT_IS_OVER = ".old"


def unpack(backup: Path, stage: Path, passphrase: str) -> dict[str, Any]:
    """Open a backup beside everything else, and compare each file with the manifest."""
    manifest = check(backup, volumes=False)
    demand_passphrase(manifest, passphrase)
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True, mode=0o700)
    demand_room(stage, room_for(manifest), "let k3s' data be on a larger disk")
    for file in manifest["files"]:
        name = file["name"].removesuffix(SEALED)
        if manifest.get("encrypted"):
            openssl(["-d"], backup / file["name"], stage / name, passphrase)
        else:
            shutil.copyfile(backup / file["name"], stage / name)
    try:
        with tarfile.open(stage / ARCHIVE) as packed:
            packed.extractall(stage / "server", filter="data")
    except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
        raise BackupError(f"{ARCHIVE} of the backup cannot be read: {error}") from None
    for file in manifest["content"]:
        if described(stage / "server" / file["name"])["sha256"] != file["sha256"]:
            raise BackupError(f"{file['name']} in {ARCHIVE} is not what the manifest says; take another backup")
    return manifest


def room_for(manifest: Mapping[str, Any]) -> int:
    """The files as they came, unpacked, and in place."""
    files: int = sum(file["size"] for file in manifest["files"])
    content: int = sum(file["size"] for file in manifest["content"])
    return files + 2 * content


def noted() -> dict[str, Any]:
    """What a run that has not ended has noted here."""
    note: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.is_file() else {}
    return note


def note_down(note: Mapping[str, Any]) -> None:
    """Note what must not be done again, once all of it is on the disk."""
    os.sync()
    write_private(RECORD, json.dumps(note))


def clear(data_dir: Path, name: str, cluster: str) -> None:
    """Put what this server had aside, unless it is the half-done work of an earlier run, which goes.

    Its note says that it is: one that is not true has been taken away before, see ``_k3s/restore.py``. What runs since
    the last restore that is over have put aside stays: one of them may have found what nobody meant to lose.
    """
    server = data_dir / "server"
    if noted().get("in_place") is False:
        shutil.rmtree(server, ignore_errors=True)
    elif server.exists():
        server.rename(data_dir / f"{ASIDE}{int(time.time())}")
        for old in data_dir.glob(f"{ASIDE}*{OF_ONE_THAT_IS_OVER}"):
            shutil.rmtree(old)
    note_down({"backup": name, "cluster": cluster, "in_place": False, "given_back": []})


def close(data_dir: Path) -> None:
    """Let the next restore drop what this one and the interrupted ones before it have put aside."""
    for copy in data_dir.glob(f"{ASIDE}*"):
        if copy.suffix != OF_ONE_THAT_IS_OVER:
            copy.rename(copy.with_name(f"{copy.name}{OF_ONE_THAT_IS_OVER}"))


def place(data_dir: Path, stage: Path, manifest: Mapping[str, Any], node_name: str) -> None:
    """Put the token and the datastore where k3s looks for them, before it is started, and note that they are there."""
    server = data_dir / "server"
    (server / "db").mkdir(parents=True, exist_ok=True, mode=0o700)
    token = (stage / "server/token").read_text()
    for path in (server / "token", CONFIG_DIR / "token"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_private(path, token)
    password = stage / "server/node-password"
    if manifest["server"] == node_name and password.is_file():
        NODE_PASSWORD.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        write_private(NODE_PASSWORD, password.read_text())
    if manifest["datastore"] == "etcd":
        reset_etcd(data_dir, stage)
    else:
        shutil.copyfile(stage / "server/datastore/sqlite", server / "db/state.db")
    note_down({**noted(), "in_place": True})


def reset_etcd(data_dir: Path, stage: Path) -> None:
    """Have k3s make a cluster of this server alone from the snapshot, with a configuration that names no other."""
    said = run(
        [
            "k3s",
            "server",
            f"--config={stage / 'k3s.yaml'}",
            f"--data-dir={data_dir}",
            f"--token-file={data_dir / 'server/token'}",
            "--cluster-reset",
            f"--cluster-reset-restore-path={stage / 'server/datastore/etcd'}",
        ],
        both=True,
    )
    if "Managed etcd cluster membership has been reset" not in said:
        raise BackupError(f"k3s did not say that it restored the snapshot: {last_line(said)}")


def replay(stage: Path, command: Mapping[str, Any]) -> bool:
    """Give what was dumped to the command that takes it back; tell whether it had not had its turn.

    One that was given back may have been written to since. One that failed, or was cut short, has its turn again.
    """
    note = noted()
    had_its_turn = note.get("given_back", [])
    if command["name"] in had_its_turn:
        return False
    give_back(stage, command)
    note_down({**note, "given_back": [*had_its_turn, command["name"]]})
    return True


def give_back(stage: Path, command: Mapping[str, Any]) -> None:
    argv = ["k3s", "kubectl", "exec", "-i", f"--namespace={command['namespace']}", command["pod"], "--"]
    with (
        tempfile.TemporaryFile("w+") as errors,
        gzip.open(stage / f"{command['name']}.dump.gz", "rb") as text,
        subprocess.Popen(
            [*argv, *command["restore"]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            shutil.copyfileobj(text, process.stdin, CHUNK)
            process.stdin.close()
        process.wait()
        errors.seek(0)
        said = errors.read()
    if process.returncode:
        raise BackupError(
            f"taking back {command['name']} in pod {command['namespace']}/{command['pod']} failed: {last_line(said)}"
        )


def command_of(backup: Path, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(each for each in read_manifest(backup)["commands"] if each["name"] == name)
    return found


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Put a backup of a cluster of k3s back.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("unpack", help="open a backup; the passphrase is read from standard input")
    verb.add_argument("backup", type=Path)
    verb.add_argument("stage", type=Path)
    verb.set_defaults(act=lambda given: unpack(given.backup, given.stage, secret()))
    verb = verbs.add_parser("clear", help="put what this server has aside")
    verb.add_argument("data_dir", type=Path)
    verb.add_argument("name")
    verb.add_argument("cluster")
    verb.set_defaults(act=lambda given: clear(given.data_dir, given.name, given.cluster))
    verb = verbs.add_parser("close", help="let the next restore drop what was put aside")
    verb.add_argument("data_dir", type=Path)
    verb.set_defaults(act=lambda given: close(given.data_dir))
    verb = verbs.add_parser("place", help="put token and datastore where k3s looks for them")
    verb.add_argument("data_dir", type=Path)
    verb.add_argument("stage", type=Path)
    verb.add_argument("backup", type=Path)
    verb.add_argument("node_name")
    verb.set_defaults(
        act=lambda given: place(given.data_dir, given.stage, read_manifest(given.backup), given.node_name)
    )
    verb = verbs.add_parser("replay", help="give what was dumped to the command that takes it back")
    verb.add_argument("stage", type=Path)
    verb.add_argument("backup", type=Path)
    verb.add_argument("command")
    verb.set_defaults(act=lambda given: replay(given.stage, command_of(given.backup, given.command)))
    return parser


def act(asked: argparse.Namespace) -> Any:
    """Do one step; what a run that was killed has left running is waited for."""
    with alone_in(RECORD.parent):
        return asked.act(asked)


if __name__ == "__main__":
    asked = arguments().parse_args()
    sys.exit(answer(lambda: act(asked)))
