# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that role backup brings to servers: what they keep, what they refuse, what an interruption leaves."""

from __future__ import annotations

import gzip
import importlib
import json
import os
import pwd
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.node import is_cordoned_by_drain
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.restore import node_marks

from tests.support import nodes

FILES = Path(__file__).parents[3] / "roles" / "backup" / "files"
NAME = "20261127T030000Z"
CLUSTER = "0a" * 32
PASSPHRASE = "correct horse battery"
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    monkeypatch.syspath_prepend(str(FILES))
    usual = os.umask(0o077)  # the programs begin with that
    yield importlib.import_module("hearth_backup"), importlib.import_module("hearth_restore")
    os.umask(usual)


@pytest.fixture
def backup(programs: tuple[ModuleType, ModuleType]) -> ModuleType:
    return programs[0]


@pytest.fixture
def restore(programs: tuple[ModuleType, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, on a machine whose root is a temporary directory."""
    program = programs[1]
    for name, path in (("RECORD", "restore.json"), ("CONFIG_DIR", "etc"), ("NODE_PASSWORD", "node/password")):
        monkeypatch.setattr(program, name, tmp_path / path)
    return program


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table kine (value text)")
        connection.execute("insert into kine values ('kept')")
    return path


@pytest.fixture
def taken(backup: ModuleType, database: Path, tmp_path: Path) -> Path:
    """A backup of one server with SQLite, as ``create`` lays it out."""
    directory = tmp_path / "backups" / NAME
    directory.mkdir(parents=True)
    (tmp_path / "token").write_text(f"K10{CLUSTER}::server:secret\n")
    (tmp_path / "password").write_text("0123\n")
    backup.copy_sqlite(database, tmp_path / "copy.db")
    members = {"token": tmp_path / "token", "datastore/sqlite": tmp_path / "copy.db"}
    members |= {"node-password": tmp_path / "password"}
    content = backup.pack(directory / backup.ARCHIVE, members)
    manifest = {
        "format": 1,
        "name": NAME,
        "cluster": CLUSTER,
        "cluster_name": "home",
        "datastore": "sqlite",
        "server": "pi1",
        "files": [backup.described(directory / backup.ARCHIVE)],
        "content": content,
    }
    backup.write_private(directory / backup.MANIFEST, json.dumps(manifest))
    return directory


def rows(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return connection.execute("select value from kine").fetchall()


def test_a_database_is_copied_while_somebody_writes_to_it(backup: ModuleType, database: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(database)
    writer.execute("insert into kine values ('not committed')")
    backup.copy_sqlite(database, tmp_path / "copy.db")
    writer.commit()
    writer.close()
    assert rows(tmp_path / "copy.db") == [("kept",)]


def test_a_server_without_a_datastore_cannot_be_backed_up(backup: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(backup.BackupError, match="this machine is no server"):
        backup.datastore_of(tmp_path)


def test_too_little_disk_is_told_before_anything_is_written(backup: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(backup.BackupError, match="make room, or look elsewhere"):
        backup.demand_room(tmp_path, 1 << 60, "look elsewhere")


def leave_free(monkeypatch: pytest.MonkeyPatch, backup: ModuleType, folder: Path, free: int) -> None:
    """Let the file system of one folder be nearly full, beside those of others."""
    usual = shutil.disk_usage
    full = SimpleNamespace(free=free)
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda path: full if Path(path) == folder else usual(path))


def test_a_backup_is_not_copied_for_the_journey_where_it_has_no_room(
    backup: ModuleType, taken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = tmp_path / "transfer"
    size = (taken / "server.tar.gz").stat().st_size
    leave_free(monkeypatch, backup, transfer, backup.ROOM + size - 1)
    with pytest.raises(backup.BackupError, match=f"{transfer} has 64 MiB free, .* let it be on a larger disk"):
        backup.seal(taken, transfer, ME, PASSPHRASE)
    assert list(transfer.iterdir()) == []
    leave_free(monkeypatch, backup, transfer, backup.ROOM + size)
    backup.seal(taken, transfer, ME, PASSPHRASE)


def test_a_dump_ends_before_the_disk_is_full(
    backup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "k3s").write_text("#!/bin/sh\nexec head -c 3000000 /dev/zero\n")
    (tmp_path / "k3s").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    command = {"name": "db", "namespace": "db", "pod": "db-0", "command": ["dump"]}
    backup.dump(command, tmp_path / "db.dump.gz")
    assert len(gzip.decompress((tmp_path / "db.dump.gz").read_bytes())) == 3000000
    leave_free(monkeypatch, backup, tmp_path, backup.ROOM)
    with pytest.raises(backup.BackupError, match="or name another place with backup_server_directory"):
        backup.dump(command, tmp_path / "db.dump.gz")


def test_local_volumes_are_told_with_their_nodes(backup: ModuleType) -> None:
    rule = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["pi2"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}}
    claim = {"namespace": "postgresql", "name": "data-postgresql-0"}
    local = {"spec": {"hostPath": {"path": "/storage/a"}, "nodeAffinity": affinity, "claimRef": claim}}
    remote = {"spec": {"nfs": {"path": "/b"}, "claimRef": claim}}
    assert list(backup.local_volumes([local, remote])) == [
        {"claim": "postgresql/data-postgresql-0", "node": "pi2", "path": "/storage/a"}
    ]


@pytest.mark.parametrize(
    ("managers", "by_person"),
    [
        pytest.param([], False, id="in service"),
        pytest.param(["hearth-drain"], False, id="drained"),
        pytest.param(["kubectl-cordon"], True, id="by hand"),
        pytest.param(["hearth-drain", "hearth-node"], True, id="drained, and asked for as well"),
    ],
)
def test_the_cordon_of_a_drain_is_not_taken_for_a_persons(
    backup: ModuleType, monkeypatch: pytest.MonkeyPatch, managers: list[str], by_person: bool
) -> None:
    node = nodes.node("pi1", **({"unschedulable": True} if managers else {}))
    node["status"]["nodeInfo"] = {"kubeletVersion": "v1.36.3+k3s1"}
    owned = {"f:spec": {"f:unschedulable": {}}}
    fields = [{"manager": each, "operation": "Update", "fieldsV1": owned} for each in managers]
    fields.append({"manager": "k3s", "operation": "Update", "fieldsV1": {"f:status": {}}})
    full = {**node, "metadata": {**node["metadata"], "managedFields": fields}}

    def run(argv: list[str], **_options: Any) -> str:
        """As kubectl does, which keeps managed fields to itself unless it is asked for them."""
        found = full if "--show-managed-fields" in argv else node
        return json.dumps({"items": [found] if "nodes" in argv else []})

    monkeypatch.setattr(backup, "run", run)
    (noted,) = backup.ask_cluster("pi1")["nodes"]
    assert noted["cordoned"] == bool(managers)
    assert noted["cordoned_by_drain"] == is_cordoned_by_drain(full)
    assert node_marks(noted)["cordoned"] == by_person


def kept(directory: Path, *names: str, cluster: str = "a") -> list[str]:
    """Backups of a cluster, as far as their manifests go."""
    for name in names:
        (directory / name).mkdir()
        manifest = {"format": 1, "cluster": cluster, "files": [{"name": "server.tar.gz"}]}
        (directory / name / "manifest.json").write_text(json.dumps(manifest))
    return list(names)


def test_the_oldest_backups_go_and_strangers_stay(backup: ModuleType, tmp_path: Path) -> None:
    names = kept(tmp_path, "20260101T000000Z", "20260102T000000Z", "20260103T000000Z")
    strangers = [*kept(tmp_path, "20250101T000000Z", cluster="b"), *kept(tmp_path, "notes"), "20240101T000000Z"]
    (tmp_path / strangers[-1]).mkdir()  # no backup: nothing in it says so
    assert backup.prune(tmp_path / names[-1], 2) == names[:1]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*strangers, *names[1:]])


def test_a_backup_that_was_going_when_a_run_was_killed_goes_with_what_such_runs_leave(
    backup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, taken = kept(tmp_path, "20260101T000000Z", "20260102T000000Z")
    (tmp_path / old / "server.tar.gz").write_text("packed")
    with monkeypatch.context() as killed:
        killed.setattr(os, "rmdir", interrupt)
        with pytest.raises(KeyboardInterrupt):
            backup.prune(tmp_path / taken, 1)
    (left,) = [path for path in tmp_path.iterdir() if path.name != taken]
    os.utime(left, (0, time.time() - 86500))
    backup.drop_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def interrupt(*_path: str, **_options: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("keep", [1, 0, -1])
def test_the_backup_that_was_just_taken_is_kept_whatever_the_clock_says(
    backup: ModuleType, tmp_path: Path, keep: int
) -> None:
    taken, *others = kept(tmp_path, "19700101T000000Z", "20260102T000000Z", "20260103T000000Z")
    assert backup.prune(tmp_path / taken, keep) == others
    assert [path.name for path in tmp_path.iterdir()] == [taken]


@dataclass
class Snapshots:
    """A server with etcd, whose k3s writes down what it is told about snapshots."""

    program: ModuleType
    data_dir: Path
    told: list[list[str]] = field(default_factory=list)
    keeps: bool = False  # will not delete any

    def run(self, argv: list[str], **_options: Any) -> str:
        self.told.append(argv)
        if self.keeps and "delete" in argv:
            raise self.program.BackupError("it could not be deleted")
        return 'level=info msg="Snapshot hearth-backup-pi1-1 saved."'

    @property
    def verbs(self) -> list[str]:
        return [argv[2] for argv in self.told]

    def copy(self) -> Any:
        stage = self.data_dir / "stage"
        settings = self.program.Settings("home", "pi1", self.data_dir, stage, 1, [])
        return self.program.copy_of_datastore(settings, "etcd", stage)


@pytest.fixture
def snapshots(backup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshots:
    live = tmp_path / "server/db/etcd/member/snap/db"
    live.parent.mkdir(parents=True)
    live.write_bytes(bytes(1000))
    server = Snapshots(backup, tmp_path)
    monkeypatch.setattr(backup, "run", server.run)
    return server


def test_a_snapshot_is_taken_whatever_the_configuration_of_the_server_says_of_snapshots(snapshots: Snapshots) -> None:
    with snapshots.copy() as copy:
        assert copy.name == "hearth-backup-pi1-1"
    save, delete = snapshots.told
    data_dir = snapshots.data_dir
    where = [f"--data-dir={data_dir}", f"--etcd-snapshot-dir={data_dir}/server/db/snapshots", "--etcd-s3=false"]
    how = ["--name=hearth-backup", "--etcd-snapshot-compress=false"]
    assert save == ["k3s", "etcd-snapshot", "save", *how, *where]
    assert delete == ["k3s", "etcd-snapshot", "delete", *where, "hearth-backup-pi1-1"]


@pytest.mark.parametrize("keeps", [False, True])
def test_a_snapshot_that_could_not_be_packed_goes_and_the_reason_is_told(snapshots: Snapshots, keeps: bool) -> None:
    snapshots.keeps = keeps
    with pytest.raises(OSError, match="no space"), snapshots.copy():
        raise OSError("no space")
    assert snapshots.verbs == ["save", "delete"]


def test_a_snapshot_that_stays_is_told(backup: ModuleType, snapshots: Snapshots) -> None:
    snapshots.keeps = True
    with pytest.raises(backup.BackupError, match="it could not be deleted"), snapshots.copy():
        pass
    assert snapshots.verbs == ["save", "delete"]


def test_what_killed_runs_have_left_with_k3s_goes_and_nothing_else(snapshots: Snapshots) -> None:
    place = snapshots.data_dir / "server/db/snapshots"
    place.mkdir(parents=True)
    left = ["hearth-backup-pi1-1795600000", "hearth-backup-pi1-1795700000"]
    others = ["etcd-snapshot-pi1-1", "before-v1.36.3-k3s1-pi1-1", "hearth-pi1-1", "hearth-backup-pi1-2-1"]
    for name in (*left, *others):
        (place / name).touch()
    with snapshots.copy():
        assert snapshots.verbs == ["delete", "save"], "what was left takes room that the new one may need"
    assert [word for word in snapshots.told[0][3:] if not word.startswith("--")] == left


def test_no_snapshot_is_taken_where_it_has_no_room(
    backup: ModuleType, snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = snapshots.data_dir / "server/db/snapshots"
    leave_free(monkeypatch, backup, place, backup.ROOM + 999)
    with pytest.raises(backup.BackupError, match=f"{place} has 64 MiB free"), snapshots.copy():
        pass
    assert snapshots.told == []


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_a_backup_that_travelled_is_what_it_was(
    backup: ModuleType, restore: ModuleType, taken: Path, tmp_path: Path, passphrase: str
) -> None:
    backup.seal(taken, tmp_path / "home" / f"{NAME}.part", ME, passphrase)
    kept = Path(backup.accept(tmp_path / "home" / f"{NAME}.part", 3)["path"])
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in [kept, *kept.iterdir()]} == {
        NAME: "0o700",
        "manifest.json": "0o600",
        "server.tar.gz" + (".enc" if passphrase else ""): "0o600",
    }
    restore.unpack(kept, tmp_path / "open", passphrase)
    assert rows(tmp_path / "open/server/datastore/sqlite") == [("kept",)]
    clear = [path for path in kept.iterdir() if tarfile.is_tarfile(path)]
    assert len(clear) == (0 if passphrase else 1)


@pytest.mark.parametrize(("passphrase", "word"), [("", "encrypted"), ("wrong", "backup_passphrase is not the one")])
def test_an_encrypted_backup_wants_its_passphrase(
    backup: ModuleType, restore: ModuleType, taken: Path, tmp_path: Path, passphrase: str, word: str
) -> None:
    backup.seal(taken, tmp_path / "sealed", ME, PASSPHRASE)
    with pytest.raises(backup.BackupError, match=word):
        restore.unpack(tmp_path / "sealed", tmp_path / "open", passphrase)


def test_the_passphrase_is_in_no_argument_list(
    backup: ModuleType, taken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = backup.subprocess.run
    monkeypatch.setattr(backup.subprocess, "run", lambda argv, **more: seen.extend(argv) or real(argv, **more))
    backup.seal(taken, tmp_path / "sealed", ME, PASSPHRASE)
    assert "openssl" in seen
    assert PASSPHRASE not in " ".join(seen)


def test_damage_is_found(backup: ModuleType, taken: Path) -> None:
    archive = taken / "server.tar.gz"
    text = bytearray(archive.read_bytes())
    text[len(text) // 2] ^= 1
    archive.write_bytes(text)
    with pytest.raises(backup.BackupError, match=r"server\.tar\.gz is damaged"):
        backup.check(taken)
    archive.unlink()
    with pytest.raises(backup.BackupError, match=r"is not whole: server\.tar\.gz is missing"):
        backup.check(taken)
    (taken / "manifest.json").write_text("{")
    with pytest.raises(backup.BackupError, match="is damaged"):
        backup.check(taken)
    (taken / "manifest.json").unlink()
    with pytest.raises(backup.BackupError, match="is no backup"):
        backup.check(taken)
    with pytest.raises(backup.BackupError, match="is no directory"):
        backup.check(taken / "nowhere")


def test_a_backup_of_a_later_format_is_refused(backup: ModuleType, taken: Path) -> None:
    manifest = json.loads((taken / "manifest.json").read_text())
    (taken / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(backup.BackupError, match="has format 2"):
        backup.check(taken)


VOLUME = {"claim": "blog/uploads", "node": "pi2", "path": "/storage/a"}


def fetched(backup: ModuleType, taken: Path, home: Path, **volume: str) -> tuple[Path, dict[str, Any]]:
    """A backup that is on its way, and the volume that has been fetched beside it."""
    part = home / f"{NAME}.part"
    manifest = backup.seal(taken, part, ME, "")
    backup.write_private(part / backup.MANIFEST, json.dumps({**manifest, "volumes": [VOLUME]}))
    (part / "blog.uploads.volume.tar.gz").write_bytes(b"packed")
    return part, {**VOLUME, "bytes": 9, "archive": backup.described(part / "blog.uploads.volume.tar.gz"), **volume}


def test_a_volume_that_was_fetched_is_in_the_manifest_and_compared(
    backup: ModuleType, restore: ModuleType, taken: Path, tmp_path: Path
) -> None:
    part, volume = fetched(backup, taken, tmp_path / "home")
    kept = Path(backup.accept(part, 3, [volume])["path"])
    assert backup.check(kept)["volumes"] == [volume]
    (kept / "blog.uploads.volume.tar.gz").unlink()
    with pytest.raises(backup.BackupError, match=r"blog\.uploads\.volume\.tar\.gz is missing"):
        backup.check(kept)
    restore.unpack(kept, tmp_path / "open", "")  # the server is not brought what it does not need


def test_a_volume_that_moved_while_it_was_read_is_not_kept(backup: ModuleType, taken: Path, tmp_path: Path) -> None:
    part, volume = fetched(backup, taken, tmp_path / "home", node="pi3")
    with pytest.raises(backup.BackupError, match="the volume of claim blog/uploads was moved meanwhile"):
        backup.accept(part, 3, [volume])


def test_what_killed_runs_have_fetched_goes(backup: ModuleType, taken: Path, tmp_path: Path) -> None:
    """Whatever its name is: the clock of a server may be days behind."""
    home = tmp_path / "home"
    left, coming = (f"{year}0101T000000Z.part" for year in (2020, 2021))
    for name in (left, coming, "mine.part"):
        (home / name).mkdir(parents=True)
    for name in (left, "mine.part"):
        os.utime(home / name, (0, time.time() - 86500))
    backup.seal(taken, home / f"{NAME}.part", ME, "")
    backup.accept(home / f"{NAME}.part", 3)
    assert sorted(path.name for path in home.iterdir()) == sorted([NAME, coming, "mine.part"])


def test_what_a_server_had_is_kept_aside_and_half_done_work_is_not(restore: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "mine").touch()
    restore.clear(tmp_path, NAME, CLUSTER)
    (aside,) = tmp_path.glob("server-before-restore-*")
    assert (aside / "mine").is_file()

    (tmp_path / "server").mkdir()  # half-done: the run was killed here
    restore.clear(tmp_path, NAME, CLUSTER)
    assert not (tmp_path / "server").exists()
    assert list(tmp_path.glob("server-before-restore-*")) == [aside]


@pytest.mark.parametrize("note", [None, {"backup": NAME, "cluster": CLUSTER, "in_place": True}])
def test_what_may_have_lived_is_kept_aside(restore: ModuleType, tmp_path: Path, note: dict[str, Any] | None) -> None:
    if note:
        restore.RECORD.write_text(json.dumps(note))
    (tmp_path / "server" / "mine").mkdir(parents=True)
    restore.clear(tmp_path, NAME, CLUSTER)
    (aside,) = tmp_path.glob("server-before-restore-*")
    assert (aside / "mine").is_dir()
    assert restore.noted() == {"backup": NAME, "cluster": CLUSTER, "in_place": False, "given_back": []}


def aside(data_dir: Path) -> list[str]:
    """What lies in the copies that have been kept, in the order in which they were made."""
    copies = sorted(data_dir.glob("server-before-restore-*"))
    return [path.name for copy in copies for path in copy.iterdir()]


def test_what_interrupted_runs_have_put_aside_is_kept_until_the_restore_after_the_one_that_ended(
    restore: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(range(1764000000, 1764000100))
    monkeypatch.setattr(restore.time, "time", lambda: next(moments))

    def overwrite(what: str) -> None:
        """With the word, which takes the note of a run before away."""
        restore.RECORD.unlink(missing_ok=True)
        (tmp_path / "server" / what).mkdir(parents=True)
        restore.clear(tmp_path, NAME, CLUSTER)

    overwrite("original")
    overwrite("restored")
    assert aside(tmp_path) == ["original", "restored"]
    restore.close(tmp_path)
    restore.close(tmp_path)  # its end may be cut short too
    assert aside(tmp_path) == ["original", "restored"]
    overwrite("later")
    assert aside(tmp_path) == ["later"]


def test_a_restore_that_finds_nothing_keeps_what_an_earlier_one_has_put_aside(
    restore: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "server" / "mine").mkdir(parents=True)
    restore.clear(tmp_path, NAME, CLUSTER)
    restore.close(tmp_path)
    restore.clear(tmp_path, NAME, CLUSTER)
    assert aside(tmp_path) == ["mine"]


def test_a_dump_is_given_back_once_and_again_only_where_that_failed(
    backup: ModuleType, restore: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    fails = ["mail"]

    def give_back(_stage: Path, command: dict[str, str]) -> None:
        given.append(command["name"])
        if command["name"] in fails:
            raise backup.BackupError("it failed")

    monkeypatch.setattr(restore, "give_back", give_back)
    restore.clear(tmp_path, NAME, CLUSTER)
    assert restore.replay(tmp_path, {"name": "db"})
    with pytest.raises(backup.BackupError):
        restore.replay(tmp_path, {"name": "mail"})
    fails.clear()
    assert not restore.replay(tmp_path, {"name": "db"})
    assert restore.replay(tmp_path, {"name": "mail"})
    assert given == ["db", "mail", "mail"]
    restore.clear(tmp_path, NAME, CLUSTER)
    assert restore.replay(tmp_path, {"name": "db"}), "a whole restore gives all of them back"


def test_the_data_lie_where_k3s_looks_for_them(
    backup: ModuleType, restore: ModuleType, taken: Path, tmp_path: Path
) -> None:
    manifest = restore.unpack(taken, tmp_path / "open", "")
    restore.clear(tmp_path / "data", NAME, CLUSTER)
    restore.place(tmp_path / "data", tmp_path / "open", manifest, "pi1")
    assert restore.noted() == {"backup": NAME, "cluster": CLUSTER, "in_place": True, "given_back": []}
    server = tmp_path / "data" / "server"
    assert rows(server / "db/state.db") == [("kept",)]
    assert (server / "token").read_text() == (tmp_path / "etc/token").read_text()
    assert (tmp_path / "node/password").read_text() == "0123\n"
    assert [oct(path.stat().st_mode & 0o077) for path in (server / "token", server / "db/state.db")] == ["0o0", "0o0"]


def test_another_machine_does_not_get_the_nodes_password(restore: ModuleType, taken: Path, tmp_path: Path) -> None:
    manifest = restore.unpack(taken, tmp_path / "open", "")
    restore.place(tmp_path / "data", tmp_path / "open", manifest, "pi4")
    assert not (tmp_path / "node").exists()
