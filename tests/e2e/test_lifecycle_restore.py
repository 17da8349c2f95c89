# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup of the cluster that runs, everything lost, and the cluster back with the row that was in its database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench import row
from tests.bench.lifecycle import DRILLS
from tests.e2e.drill import drill, killed
from tests.lab import playbook
from tests.lab.cluster import DATABASE_DUMP, Cluster, eventually, http_status, psql
from tests.lab.lab import Lab
from tests.lab.playbook import Run

pytestmark = pytest.mark.lab

PASSPHRASE = "only for this test: a long one"
TOKEN = "/etc/rancher/k3s/token"
NOTE = "/var/lib/hearth/restore.json"
BY_THEMSELVES = ("-e", "backup_schedule=*-*-* 03:30", "-e", "backup_server_keep=1")


@dataclass(frozen=True)
class Backup:
    """One that was taken, the variables with which it was, and what was printed meanwhile."""

    path: Path
    variables: Path
    output: str
    token: str
    secret: dict[str, str]  # of the database

    @property
    def manifest(self) -> Any:
        return json.loads((self.path / "manifest.json").read_text())


def take(cluster: Cluster, desk: Path) -> Backup:
    """Taken while the blog is read and the API is written to; with a label, a secret and a row to know it by. From then
    on the servers take some by themselves, too.
    """
    wishes = {
        "backup_directory": str(desk / "backups"),
        "backup_passphrase": PASSPHRASE,
        "backup_commands": [DATABASE_DUMP],
    }
    (desk / "wishes.json").write_text(json.dumps(wishes))
    psql(
        cluster,
        "drop table if exists backed_up; create table backed_up (word text); insert into backed_up values ('before')",
    )
    cluster.kubectl("label", "node", "pi2", "hearth.test/disk=ssd", "--overwrite")
    token = cluster.token()
    done = drill(cluster, "backup", "-e", f"@{desk / 'wishes.json'}", *BY_THEMSELVES, "--diff", "-vv")
    assert done.run.status == 0, done.run.output[-6000:]
    assert done.seen.failed_requests == 0
    (taken,) = (desk / "backups").iterdir()
    secret = cluster.get("secret", "postgresql", "-n", "postgresql")["data"]
    return Backup(taken, desk / "wishes.json", done.run.output, token.rsplit(":", 1)[-1], secret)


@pytest.fixture(scope="module")
def backup(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    return take(cluster, tmp_path_factory.mktemp("desk"))


def restore(source: Path, backup: Backup, *arguments: str) -> Run:
    return playbook.run("hearth.cluster.restore", "-e", f"from={source}", "-e", f"@{backup.variables}", *arguments)


def refused(run: Run, *words: str) -> None:
    flat = " ".join(run.output.split())
    assert run.status != 0, run.output[-4000:]
    assert all(word in flat for word in words), f"not all of {words} in:\n{run.output[-4000:]}"
    assert "Traceback" not in run.output


@pytest.fixture
def untouched(cluster: Cluster) -> Iterator[None]:
    before = cluster.processes()
    yield
    assert cluster.processes() == before


def test_a_backup_says_what_it_is_of_and_nobody_else_can_read_it(backup: Backup, cluster: Cluster) -> None:
    manifest = backup.manifest
    assert manifest["cluster"] in cluster.token()
    assert (manifest["datastore"], manifest["cluster_name"], manifest["packages"]) == (
        "etcd",
        "lab",
        ["blog", "postgresql"],
    )
    assert [node["name"] for node in manifest["nodes"]] == ["pi1", "pi2", "pi3"]
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [backup.path, *backup.path.iterdir()]}
    assert set(modes.values()) == {"0o700", "0o600"}
    content = b"".join(path.read_bytes() for path in backup.path.iterdir())
    for secret in (backup.token, PASSPHRASE):
        assert secret not in backup.output
        assert secret.encode() not in content
    snapshots = cluster.server().ssh("sudo ls /var/lib/rancher/k3s/server/db/snapshots").stdout
    assert "hearth" not in snapshots, "the snapshot has been packed, and k3s must not keep it as well"
    assert cluster.server().ssh("sudo test -e /var/lib/hearth/transfer", check=False).returncode != 0


def test_a_server_takes_backups_by_itself(cluster: Cluster, backup: Backup) -> None:
    server = cluster.lab.machine("pi2")
    assert "hearth-backup.timer" in server.ssh("systemctl list-timers").stdout
    server.ssh("sudo systemctl start hearth-backup.service")
    (name,) = server.ssh("sudo ls /var/lib/hearth/backups").stdout.split()
    assert server.ssh(f"sudo stat -c %a /var/lib/hearth/backups/{name}/server.tar.gz").stdout.strip() == "600"
    run = playbook.run("hearth.cluster.backup", "-e", f"@{backup.variables}")
    assert run.status == 0, run.output[-4000:]
    assert "hearth-backup.timer" not in server.ssh("systemctl list-timers --all").stdout


@pytest.mark.usefixtures("untouched")
def test_what_is_not_a_backup_of_this_cluster_is_refused(backup: Backup, tmp_path: Path) -> None:
    """What is seen without a real one is tried in the unit tests of the playbook."""
    word = ("-e", "overwrite=lab")
    damaged = shutil.copytree(backup.path, tmp_path / "damaged")
    archive = next(damaged.glob("server.tar.gz*"))
    archive.write_bytes(archive.read_bytes()[:-1])
    refused(restore(damaged, backup, *word), f"{archive} is damaged")
    refused(restore(backup.path, backup, *word, "-e", "backup_passphrase=wrong"), "backup_passphrase is not the one")
    refused(restore(backup.path, backup, *word, "-e", "k3s_token=another"), "k3s_token is not the token")


@pytest.mark.usefixtures("untouched")
def test_a_cluster_that_lives_is_not_overwritten_without_its_name(backup: Backup) -> None:
    refused(restore(backup.path, backup), "a cluster is alive on pi1, pi2 and pi3", "-e overwrite=lab")
    refused(restore(backup.path, backup, "-e", "overwrite=home"), "overwrite is home", "nothing was changed")
    foretold = restore(backup.path, backup, "-e", "overwrite=lab", "--check")
    assert foretold.status == 0, foretold.output[-4000:]
    assert "Stop k3s on pi1, pi2, pi3" in foretold.output


@pytest.mark.usefixtures("untouched", "backup")
def test_a_restore_that_is_not_over_is_finished_or_given_up_first(cluster: Cluster) -> None:
    note = json.dumps({"backup": "20261127T030000Z", "in_place": True})
    server = cluster.lab.machine("pi1")
    server.ssh(f"echo '{note}' | sudo tee {NOTE}")
    run = playbook.run("hearth.cluster.cluster")
    server.ssh(f"sudo rm {NOTE}")
    refused(run, "the restore of 20261127T030000Z is not over on pi1", f"remove {NOTE} there")


def wipe(lab: Lab, *names: str) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lab.wipe, names))


def test_two_of_three_servers_are_lost(backup: Backup, cluster: Cluster) -> None:
    """The last one cannot go on alone, and site says what brings the cluster back. Its token was being changed."""
    wipe(cluster.lab, "pi1", "pi2")
    told = playbook.run("hearth.cluster.cluster", "-e", "k3s_ready_timeout=15")
    assert told.status != 0
    assert "hearth.cluster.restore -e from=DIRECTORY" in " ".join(told.output.split()), told.output[-6000:]
    cluster.lab.machine("pi3").ssh(f"sudo sh -c \"sed -i '1s/$/-of-later/' {TOKEN}; cp {TOKEN} {TOKEN}.next\"")
    as_it_was(backup, cluster, restore(backup.path, backup, "-e", "overwrite=lab", "--diff", "-vv"))


@pytest.mark.soak
def test_the_cluster_comes_back_on_machines_that_have_lost_everything(backup: Backup, cluster: Cluster) -> None:
    wipe(cluster.lab, "pi1", "pi2", "pi3")
    run = restore(backup.path, backup, "--diff", "-vv")
    as_it_was(backup, cluster, run)
    row.write([row.Row("lifecycle.restore.wall_s", "s", run.seconds)], DRILLS)


def as_it_was(backup: Backup, cluster: Cluster, run: Run) -> None:
    print(f"restore: {run.seconds:.1f} s")
    assert run.status == 0, run.output[-8000:]
    assert {name: (each["Ready"], each["EtcdIsVoter"]) for name, each in cluster.conditions().items()} == dict.fromkeys(
        ("pi1", "pi2", "pi3"), ("True", "True")
    )
    assert len(set(cluster.identity().values())) == 1
    assert cluster.get("node", "pi2")["metadata"]["labels"]["hearth.test/disk"] == "ssd"
    assert cluster.out_of_service() == []
    assert cluster.unreachable_pods() == {}
    assert psql(cluster, "select word from backed_up").split() == ["before"]
    assert cluster.get("secret", "postgresql", "-n", "postgresql")["data"] == backup.secret
    assert all(eventually(lambda address=each.address: http_status(address) == 200) for each in cluster.lab.machines())
    for machine in cluster.lab.machines():
        assert "restore" not in machine.ssh("sudo ls /var/lib/hearth").stdout
        assert machine.ssh(f"sudo sh -c 'cat {TOKEN}*'").stdout.strip().rsplit(":", 1)[-1] == backup.token
    assert backup.token not in run.output
    assert PASSPHRASE not in run.output


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_backup_and_a_restore_may_be_killed_at_any_moment(
    backup: Backup, cluster: Cluster, tmp_path: Path, turn: int
) -> None:
    taking = ("-e", f"@{backup.variables}", "-e", f"backup_directory={tmp_path}")
    killed("backup", *taking, within=(1.0, 18.0), turn=turn)
    again = playbook.run("hearth.cluster.backup", *taking)
    assert again.status == 0, again.output[-6000:]
    newest = max(path for path in tmp_path.iterdir() if path.suffix != ".part")
    giving = ("-e", f"from={newest}", "-e", f"@{backup.variables}", "-e", "overwrite=lab")
    killed("restore", *giving, within=(3.0, 150.0), turn=turn)
    for machine in cluster.lab.machines():
        machine.wait_ready()  # it may be on its way down or up
    as_it_was(backup, cluster, restore(newest, backup, "-e", "overwrite=lab"))


def test_the_restored_cluster_is_the_one_that_the_inventory_describes(backup: Backup) -> None:
    run = playbook.run("hearth.cluster.site")
    assert run.status == 0, run.output[-4000:]
    assert run.changes == (), run.output[-6000:]


@pytest.fixture
def elsewhere(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """New machines under the old names, at other addresses; the old ones are gone. The options that say so."""
    moved = dict(zip(("pi1", "pi2", "pi3"), ("pi4", "pi5", "pi6"), strict=True))
    cluster.lab.down()
    cluster.lab.up(list(moved.values()))
    addresses = {old: cluster.lab.machine(new).address for old, new in moved.items()}
    hosts = {name: {"ansible_host": address, "k3s_address": address} for name, address in addresses.items()}
    (tmp_path / "elsewhere.yml").write_text(json.dumps({"k3s_cluster": {"hosts": hosts}}))
    yield "-i", str(tmp_path / "elsewhere.yml")
    cluster.lab.down()
    cluster.lab.up()
    assert playbook.run("hearth.cluster.site").status == 0


@pytest.mark.soak
def test_the_cluster_moves_to_new_machines_at_other_addresses(
    backup: Backup, cluster: Cluster, elsewhere: tuple[str, str]
) -> None:
    as_it_was(backup, cluster, restore(backup.path, backup, *elsewhere, "--diff", "-vv"))
