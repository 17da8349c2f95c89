# SPDX-License-Identifier: GPL-3.0-or-later
"""Back up a cluster of k3s, from one of its servers.

Runs on a server, from a timer too, and on the controller to look at what was brought there; so it needs no library but
Python's own. A backup is a directory:

manifest.json                      what it is of, and the SHA-256 of everything in it
server.tar.gz                      the datastore, the token that opens it, k3s' configuration, the node's password
<name>.dump.gz                     what a command in a pod printed, for each command asked for
<namespace>.<claim>.volume.tar.gz  the directory of a claim, for each that was asked for, on the controller alone;
                                   see ``hearth_volume.py``

Where it is sealed with a passphrase, all but the manifest is encrypted and has a name that ends in ``.enc``; ``openssl
enc -d -aes-256-cbc -pbkdf2 -iter 600000`` reads it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
ARCHIVE = "server.tar.gz"
SEALED = ".enc"
CIPHER = ["-aes-256-cbc", "-pbkdf2", "-iter", "600000"]
NAME = re.compile(r"\d{8}T\d{6}Z")
SNAPSHOT = "hearth-backup"  # a name that nobody else gives: what has it is ours to delete
DRAIN_MANAGER = "hearth-drain"  # by which the API server knows a drain of the collection
CONFIG_DIR = Path("/etc/rancher/k3s")
NODE_PASSWORD = Path("/etc/rancher/node/password")
ROOM = 64 << 20  # bytes that must stay free
CHUNK = 1 << 20
ELSEWHERE = "name another place with backup_server_directory"


class BackupError(Exception):
    """What a person can mend."""


# Backing up


@dataclass(frozen=True)
class Settings:
    """What the role wrote for this server."""

    cluster_name: str
    node_name: str
    data_dir: Path
    directory: Path
    keep: int
    commands: Sequence[Mapping[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Settings:
        raw = json.loads(path.read_text())
        return cls(**{**raw, "data_dir": Path(raw["data_dir"]), "directory": Path(raw["directory"])})


def create(settings: Settings) -> dict[str, Any]:
    """Take a backup; nothing of it is left where it cannot be finished."""
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(settings.directory):
        for left in settings.directory.glob("*.part"):  # by a run that was killed
            shutil.rmtree(left)
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        stage = settings.directory / f"{name}.part"
        stage.mkdir(mode=0o700)
        try:
            manifest = fill(settings, stage, name)
            write_private(stage / MANIFEST, json.dumps(manifest, indent=1))
            stage.rename(settings.directory / name)
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        prune(settings.directory / name, settings.keep)
    return {"path": str(settings.directory / name), "manifest": manifest}


def fill(settings: Settings, stage: Path, name: str) -> dict[str, Any]:
    kind = datastore_of(settings.data_dir)
    size = size_of(settings.data_dir, kind)
    demand_room(settings.directory, 2 * size, ELSEWHERE)
    facts = ask_cluster(settings.node_name)
    members = {f"config/{path.relative_to(CONFIG_DIR)}": path for path in configuration()}
    members |= {"token": settings.data_dir / "server/token", "node-password": NODE_PASSWORD}
    with copy_of_datastore(settings, kind, stage) as copy:
        members[f"datastore/{kind}"] = copy
        content = pack(stage / ARCHIVE, {key: path for key, path in members.items() if path.is_file()})
    for command in settings.commands:
        dump(command, stage / f"{command['name']}.dump.gz")
    return {
        "format": FORMAT,
        "name": name,
        "cluster_name": settings.cluster_name,
        "cluster": cluster_of((settings.data_dir / "server/token").read_text()),
        "datastore": kind,
        "server": settings.node_name,
        **facts,
        "commands": [dict(command) for command in settings.commands],
        "files": [described(path) for path in sorted(stage.iterdir())],
        "content": content,
    }


def datastore_of(data_dir: Path) -> str:
    database = data_dir / "server/db"
    if (database / "etcd/member/wal").exists():
        return "etcd"
    if (database / "state.db").exists():
        return "sqlite"
    raise BackupError(
        f"no datastore lies in {database}: this machine is no server, or its cluster keeps its data in a database "
        "elsewhere, which has to be backed up there"
    )


def size_of(data_dir: Path, kind: str) -> int:
    database = data_dir / "server/db"
    files = [database / "etcd/member/snap/db"] if kind == "etcd" else list(database.glob("state.db*"))
    return sum(path.stat().st_size for path in files)


def demand_room(directory: Path, needed: int, remedy: str) -> None:
    """Refuse before the disk is full: k3s writes to the same one."""
    free = shutil.disk_usage(directory).free
    if free < needed + ROOM:
        raise BackupError(
            f"{directory} has {free >> 20} MiB free, and {(needed + ROOM) >> 20} are needed: make room, or {remedy}"
        )


@contextlib.contextmanager
def copy_of_datastore(settings: Settings, kind: str, stage: Path) -> Iterator[Path]:
    """A consistent copy, taken while k3s runs; it goes when it has been packed, or could not be."""
    if kind == "sqlite":
        copy = stage / "state.db"
        copy_sqlite(settings.data_dir / "server/db/state.db", copy)
        yield copy
        copy.unlink()
        return
    snapshots = settings.data_dir / "server/db/snapshots"
    snapshots.mkdir(mode=0o700, exist_ok=True)
    # As the configuration of a server writes them: k3s takes what is there along, and refuses two names of one option.
    where = [f"--data-dir={settings.data_dir}", f"--etcd-snapshot-dir={snapshots}", "--etcd-s3=false"]
    # k3s knows a compressed snapshot by its name alone, which this one loses when it is packed.
    how = [f"--name={SNAPSHOT}", "--etcd-snapshot-compress=false"]
    delete = ["k3s", "etcd-snapshot", "delete", *where]  # options end with the first name
    left = snapshots_left(snapshots, settings.node_name)
    if left:
        run([*delete, *left], both=True)
    demand_room(snapshots, size_of(settings.data_dir, kind), "let k3s' data be on a larger disk")
    said = run(["k3s", "etcd-snapshot", "save", *how, *where], both=True)
    found = re.search(r"Snapshot (\S+) saved", said)
    if found is None:
        raise BackupError(f"k3s said no name of the snapshot it took: {last_line(said)}")
    try:
        yield snapshots / found[1]
    except BaseException:
        with contextlib.suppress(BackupError, OSError):  # what came first is what has to be mended
            run([*delete, found[1]], both=True)
        raise
    run([*delete, found[1]], both=True)


def snapshots_left(snapshots: Path, node_name: str) -> list[str]:
    """Copies of the datastore that runs which were killed have left with k3s."""
    ours = re.compile(rf"{SNAPSHOT}-{re.escape(node_name)}-\d+")
    return sorted(path.name for path in snapshots.iterdir() if ours.fullmatch(path.name))


def copy_sqlite(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as live,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        (verdict,) = copy.execute("pragma quick_check").fetchone()
    if verdict != "ok":
        raise BackupError(f"the database {source} is damaged: {verdict}")


def configuration() -> list[Path]:
    """Files of k3s that the operator may miss; the kubeconfig is made anew by every server."""
    return [path for path in sorted(CONFIG_DIR.rglob("*")) if path.is_file() and path.name != "k3s.yaml"]


def ask_cluster(node_name: str) -> dict[str, Any]:
    nodes = kubectl("nodes", "--show-managed-fields")
    versions = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    if node_name not in versions:
        raise BackupError(f"the cluster has no node {node_name}, which this machine is meant to be")
    return {
        "k3s_version": versions[node_name],
        "nodes": [node_facts(node) for node in nodes],
        "packages": sorted(
            secret["metadata"]["labels"]["hearth.cluster/record"]
            for secret in kubectl("secrets", "--all-namespaces", "--selector=hearth.cluster/record")
        ),
        "volumes": list(local_volumes(kubectl("persistentvolumes"))),
    }


def node_facts(node: Mapping[str, Any]) -> dict[str, Any]:
    labels = node["metadata"]["labels"]
    return {
        "name": node["metadata"]["name"],
        "server": "node-role.kubernetes.io/control-plane" in labels,
        "labels": labels,
        "taints": node["spec"].get("taints", []),
        "cordoned": node["spec"].get("unschedulable", False),
        "cordoned_by_drain": is_cordoned_by_drain(node),
    }


def is_cordoned_by_drain(node: Mapping[str, Any]) -> bool:
    """As ``_cluster/node.py`` of the collection tells it: nobody but a drain has asked for the cordon."""
    owners = {
        entry["manager"]
        for entry in node["metadata"].get("managedFields", [])
        if "f:unschedulable" in entry.get("fieldsV1", {}).get("f:spec", {})
    }
    return owners == {DRAIN_MANAGER}


def local_volumes(volumes: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Volumes that are a directory of one node: who claims them, and where they lie."""
    for volume in volumes:
        spec = volume["spec"]
        place = spec.get("hostPath") or spec.get("local")
        terms = spec.get("nodeAffinity", {}).get("required", {}).get("nodeSelectorTerms", [])
        hosts = [
            rule["values"][0]
            for term in terms
            for rule in term.get("matchExpressions", [])
            if rule["key"] == "kubernetes.io/hostname"
        ]
        if place and hosts and "claimRef" in spec:
            claim = spec["claimRef"]
            yield {"claim": f"{claim['namespace']}/{claim['name']}", "node": hosts[0], "path": place["path"]}


def dump(command: Mapping[str, Any], target: Path) -> None:
    """Keep what a command in a pod prints."""
    argv = ["k3s", "kubectl", "exec", f"--namespace={command['namespace']}", command["pod"], "--", *command["command"]]
    with (
        tempfile.TemporaryFile("w+") as errors,
        gzip.GzipFile(target, "wb", mtime=0) as out,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        assert process.stdout is not None
        while printed := process.stdout.read(CHUNK):
            demand_room(target.parent, len(printed), ELSEWHERE)  # nobody knows before how much it will be
            out.write(printed)
        process.wait()
        errors.seek(0)
        said = errors.read()
    target.chmod(0o600)
    if process.returncode:
        raise BackupError(
            f"command {command['name']} in pod {command['namespace']}/{command['pod']} failed: {last_line(said)}"
        )


def pack(archive: Path, members: Mapping[str, Path]) -> list[dict[str, Any]]:
    with tarfile.open(archive, "w:gz", compresslevel=6) as packed:
        for name, path in members.items():
            packed.add(path, arcname=name, filter=anonymous)
    archive.chmod(0o600)
    return [{**described(path), "name": name} for name, path in members.items()]


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o600
    return member


def prune(taken: Path, keep: int) -> list[str]:
    """Drop the oldest backups of the same cluster beyond as many as are kept.

    The one that was just taken is kept even by a clock that is behind. What else lies beside it is left alone.
    """
    mine = cluster_in(taken)
    others = sorted(
        path
        for path in taken.parent.iterdir()
        if NAME.fullmatch(path.name) and path != taken and cluster_in(path) == mine
    )
    surplus = others[: max(0, len(others) + 1 - keep)]
    for path in surplus:
        # If the run is killed, one that is no longer whole has the name of those that are not whole yet, and goes too.
        shutil.rmtree(path.rename(path.with_suffix(".part")))
    return [path.name for path in surplus]


def cluster_in(backup: Path) -> str:
    """The cluster that a backup is of; none where it is no backup that can be read."""
    try:
        return str(read_manifest(backup)["cluster"])
    except BackupError:
        return ""


# Carrying it


def seal(backup: Path, target: Path, owner: str, passphrase: str) -> dict[str, Any]:
    """Lay a backup out for one user to fetch, encrypted if there is a passphrase."""
    manifest = read_manifest(backup)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    demand_room(target, sum(file["size"] for file in manifest["files"]), "let it be on a larger disk")
    for file in manifest["files"]:
        if passphrase:
            openssl(["-e", "-salt"], backup / file["name"], target / f"{file['name']}{SEALED}", passphrase)
        else:
            shutil.copyfile(backup / file["name"], target / file["name"])
    files = [described(path) for path in sorted(target.iterdir())]
    sealed = {**manifest, "encrypted": bool(passphrase), "files": files}
    write_private(target / MANIFEST, json.dumps(sealed, indent=1))
    for path in [*target.iterdir(), target]:
        shutil.chown(path, owner)
    return sealed


def check(backup: Path, *, volumes: bool = True) -> dict[str, Any]:
    """Read every byte of a backup and compare; return its manifest. Volumes may have stayed on the controller."""
    manifest = read_manifest(backup)
    for file in [*manifest["files"], *(archives_of(manifest) if volumes else [])]:
        intact(backup, file)
    return manifest


def archives_of(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [volume["archive"] for volume in manifest.get("volumes", []) if "archive" in volume]


def intact(backup: Path, file: Mapping[str, Any]) -> Path:
    """Compare one file of a backup with what its manifest says."""
    path = backup / Path(file["name"]).name
    if not path.is_file():
        raise BackupError(f"{backup} is not whole: {file['name']} is missing")
    if described(path) != file:
        raise BackupError(f"{path} is damaged: it is not what its manifest says; take another backup")
    return path


def read_manifest(backup: Path) -> dict[str, Any]:
    path = backup / MANIFEST
    if not backup.is_dir():
        raise BackupError(f"{backup} is no directory on this machine; name one that playbook backup has made")
    if not path.is_file():
        raise BackupError(f"{backup} is no backup: it has no {MANIFEST}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        known = manifest["format"] == FORMAT and bool(manifest["files"] and manifest["cluster"])
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{path} is damaged: {error!r}; take another backup") from None
    if not known:
        raise BackupError(f"{path} has format {manifest['format']}, and this version of the collection reads {FORMAT}")
    return manifest


def accept(part: Path, keep: int, volumes: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Give a backup that has arrived whole its name, and drop the oldest ones beside it.

    volumes: those that were archived on their own machines, and have to be in the manifest.
    """
    write_private(part / MANIFEST, json.dumps(with_volumes(read_manifest(part), volumes), indent=1))
    check(part)
    drop_leftovers(part.parent)
    for path in part.iterdir():
        path.chmod(0o600)
    final = part.with_suffix("")
    if final.exists():
        shutil.rmtree(part)
    else:
        part.rename(final)
    return {"path": str(final), "pruned": prune(final, keep)}


def with_volumes(manifest: Mapping[str, Any], archived: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    volumes = {volume["claim"]: volume for volume in manifest.get("volumes", [])}
    for volume in archived:
        known = volumes.get(volume["claim"], volume)
        if (known["node"], known["path"]) != (volume["node"], volume["path"]):
            raise BackupError(f"the volume of claim {volume['claim']} was moved meanwhile; take another backup")
        volumes[volume["claim"]] = {**known, **volume}
    return {**manifest, "volumes": list(volumes.values())}


def drop_leftovers(directory: Path) -> None:
    """Remove what runs that were killed had fetched, or had begun to drop.

    What was written to within a day may be on its way. Its name tells the time by the clock of a server, which may be
    behind.
    """
    yesterday = time.time() - 86400
    for left in directory.glob("*.part"):
        if NAME.fullmatch(left.stem) and left.stat().st_mtime < yesterday:
            shutil.rmtree(left)


# What all of them need


def run(argv: Sequence[str], *, both: bool = False) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(f"there is no program {argv[0]} on this machine") from None
    if done.returncode:
        raise BackupError(f"{' '.join(argv[:3])} failed: {last_line(done.stderr)}")
    return done.stdout + done.stderr if both else done.stdout


def kubectl(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["k3s", "kubectl", "get", *arguments, "-o", "json"]))["items"]
    return found


def demand_passphrase(manifest: Mapping[str, Any], passphrase: str) -> None:
    if manifest.get("encrypted") and not passphrase:
        raise BackupError("the backup is encrypted: give backup_passphrase")


def openssl(verb: Sequence[str], source: Path, target: Path, passphrase: str) -> None:
    with source.open("rb") as given, target.open("wb") as taken:
        demand_opened(openssl_between(verb, given, taken, passphrase), source.name)


def demand_opened(status: int, name: str) -> None:
    if status:
        raise BackupError(f"{name} could not be opened: backup_passphrase is not the one it was sealed with")


def openssl_between(verb: Sequence[str], source: IO[bytes], target: IO[bytes], passphrase: str) -> int:
    """Let openssl read the passphrase from a pipe: its arguments and its environment are for others to see."""
    reading, writing = os.pipe()
    try:
        os.write(writing, passphrase.encode() + b"\n")
        os.close(writing)
        argv = ["openssl", "enc", *verb, *CIPHER, "-pass", f"fd:{reading}"]
        done = subprocess.run(
            argv, pass_fds=[reading], stdin=source, stdout=target, stderr=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        raise BackupError("there is no openssl on this machine, which an encrypted backup needs: install it") from None
    finally:
        os.close(reading)
    return done.returncode


def described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "sha256": digest, "size": path.stat().st_size}


def cluster_of(token: str) -> str:
    """The SHA-256 of the cluster's CA, as its tokens carry it."""
    found = re.match(r"K10([0-9a-f]{64})::", token.strip())
    if found is None:
        raise BackupError("the server's token does not say which cluster it is of")
    return found[1]


def write_private(path: Path, text: str) -> None:
    """Write aside and rename, readable by its owner alone."""
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


@contextlib.contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """One at a time: the second waits, also for what a run that was killed has left running."""
    held = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def secret() -> str:
    """The passphrase comes on standard input; none is none."""
    return sys.stdin.readline().rstrip("\n")


def answer(act: Callable[[], Any]) -> int:
    """Do it, and print what came of it as JSON; what a person can mend is one line on standard error."""
    os.umask(0o077)
    try:
        result = act()
    except BackupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'a file'}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"{json.dumps(result)}\n")
    return 0


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Back up a cluster of k3s.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("create", help="take a backup on this server")
    verb.add_argument("settings", type=Path)
    verb.set_defaults(act=lambda given: create(Settings.read(given.settings)))
    verb = verbs.add_parser("seal", help="lay one out to be fetched; the passphrase is read from standard input")
    verb.add_argument("backup", type=Path)
    verb.add_argument("target", type=Path)
    verb.add_argument("owner")
    verb.set_defaults(act=lambda given: seal(given.backup, given.target, given.owner, secret()))
    verb = verbs.add_parser("check", help="compare one with its manifest")
    verb.add_argument("backup", type=Path)
    verb.set_defaults(act=lambda given: check(given.backup))
    verb = verbs.add_parser(
        "accept", help="keep one that has arrived; its volumes are read from standard input as JSON"
    )
    verb.add_argument("part", type=Path)
    verb.add_argument("keep", type=int)
    verb.set_defaults(act=lambda given: accept(given.part, given.keep, json.loads(sys.stdin.readline() or "[]")))
    return parser


if __name__ == "__main__":
    asked = arguments().parse_args()
    sys.exit(answer(lambda: asked.act(asked)))
