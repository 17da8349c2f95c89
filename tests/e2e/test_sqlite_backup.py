# SPDX-License-Identifier: GPL-3.0-or-later
"""One server with SQLite is lost, and its agent's disk: the cluster comes back on another machine, with all it had."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need
from tests.e2e.drill import killed
from tests.lab import builds, images, playbook, releases, requirements
from tests.lab.cluster import DATABASE_DUMP, Cluster, eventually, psql
from tests.lab.lab import Lab
from tests.lab.playbook import Run
from tests.lab.progress import Progress

pytestmark = pytest.mark.lab
INSTANCE = "sqlitebackup"
HOSTS = ("-e", "hearth_cluster=pi1:pi2", "-e", "hearth_servers=pi1")
PASSPHRASE = "only for this test: another long one"
TOKEN = "/etc/rancher/k3s/token"
TEXT = "written by a pod, and kept"
NOTES: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "notes"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local-path",
            "resources": {"requests": {"storage": "16Mi"}},
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "notes"},
        "spec": {
            "selector": {"matchLabels": {"app": "notes"}},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": {"app": "notes"}},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": "pi2"},
                    "terminationGracePeriodSeconds": 1,
                    "containers": [
                        {
                            "name": "notes",
                            "image": "hearth.local/nginx:trixie",
                            "command": ["sleep", "infinity"],
                            "volumeMounts": [{"name": "notes", "mountPath": "/notes"}],
                        }
                    ],
                    "volumes": [{"name": "notes", "persistentVolumeClaim": {"claimName": "notes"}}],
                },
            },
        },
    },
]


@dataclass(frozen=True)
class Taken:
    """A backup, the variables with which it was taken, and what was in the cluster then."""

    path: Path
    variables: Path
    output: str
    secret: Any
    owner: str


def in_notes(cluster: Cluster, line: str) -> str:
    return cluster.kubectl("exec", "deployment/notes", "--", "sh", "-c", line)


def directory_of_notes(cluster: Cluster) -> str:
    claim = cluster.get("pvc", "notes")
    spec = cluster.get("pv", claim["spec"]["volumeName"])["spec"]
    return str((spec.get("local") or spec.get("hostPath"))["path"])


@pytest.fixture(autouse=True)
def instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_LAB", INSTANCE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The demo on a server and an agent, and a Deployment that keeps a file in a volume of the agent."""
    need(requirements.MACHINES + requirements.GO)
    lab = Lab(INSTANCE)
    lab.down()
    releases.release(builds.NEWEST_K3S)
    for name in ("nginx", "postgresql"):
        images.archive(name, Progress())
    lab.up(["pi1", "pi2"])
    releases.serve_releases(INSTANCE)
    run = playbook.run("hearth.cluster.site", *HOSTS, HEARTH_LAB=INSTANCE)
    assert run.status == 0, run.output[-6000:]
    cluster = Cluster(lab)
    cluster.kubectl("apply", "-f", "-", given="\n---\n".join(map(json.dumps, NOTES)))
    cluster.kubectl("rollout", "status", "deployment/notes", "--timeout=120s")
    in_notes(cluster, f"umask 027; mkdir /notes/deep; echo '{TEXT}' > /notes/deep/text; ln -s deep/text /notes/link")
    psql(cluster, "create table backed_up (word text); insert into backed_up values ('before')")
    yield cluster
    lab.down()


def backup(variables: Path, *arguments: str) -> Run:
    return playbook.run("hearth.cluster.backup", *HOSTS, "-e", f"@{variables}", *arguments, HEARTH_LAB=INSTANCE)


@pytest.fixture(scope="module")
def taken(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    desk = tmp_path_factory.mktemp("desk")
    wishes = {
        "backup_directory": str(desk / "backups"),
        "backup_passphrase": PASSPHRASE,
        "backup_commands": [DATABASE_DUMP],
        "backup_volumes": [{"namespace": "default", "claim": "notes"}],
    }
    (desk / "wishes.json").write_text(json.dumps(wishes))
    run = backup(desk / "wishes.json", "--diff", "-vv")
    assert run.status == 0, run.output[-6000:]
    (path,) = (desk / "backups").iterdir()
    secret = cluster.get("secret", "postgresql", "-n", "postgresql")["data"]
    return Taken(path, desk / "wishes.json", run.output, secret, in_notes(cluster, "stat -c %u:%g:%a /notes/deep/text"))


def test_a_claim_that_cannot_be_had_is_refused_before_anything_is_changed(taken: Taken) -> None:
    wrong = {"backup_volumes": [{"namespace": "default", "claim": "nots"}]}
    run = backup(taken.variables, "-e", json.dumps(wrong))
    assert run.status != 0
    assert run.changes == ()
    assert "claim default/nots is not in the cluster: did you mean default/notes?" in " ".join(run.output.split())
    assert list(taken.path.parent.iterdir()) == [taken.path]


def test_the_volume_is_part_of_the_backup_and_nobody_can_read_it(cluster: Cluster, taken: Taken) -> None:
    manifest = json.loads((taken.path / "manifest.json").read_text())
    assert manifest["datastore"] == "sqlite"
    (volume,) = [each for each in manifest["volumes"] if "archive" in each]
    assert (volume["claim"], volume["node"], volume["path"]) == ("default/notes", "pi2", directory_of_notes(cluster))
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in taken.path.iterdir()}
    assert modes == dict.fromkeys(
        ("default.notes.volume.tar.gz.enc", "manifest.json", "postgresql.dump.gz.enc", "server.tar.gz.enc"), "0o600"
    )
    assert PASSPHRASE not in taken.output
    assert TEXT.encode() not in b"".join(path.read_bytes() for path in taken.path.iterdir())
    assert "It has the volumes of default/notes. What lies in other volumes is not part of it" in taken.output
    assert cluster.server().ssh("sudo ls /var/lib/hearth").stdout.split() == ["backups"]
    assert cluster.lab.machine("pi2").ssh("sudo ls /var/lib/hearth").stdout == ""


def test_a_backup_that_is_killed_is_not_there_and_the_next_one_is_whole(cluster: Cluster, taken: Taken) -> None:
    folder = taken.path.parent.parent / "killed"
    elsewhere = ("-e", f"backup_directory={folder}")
    killed("backup", *HOSTS, "-e", f"@{taken.variables}", *elsewhere, within=(4.0, 16.0))
    early = {path for path in folder.glob("*") if path.suffix != ".part"}
    assert all((path / "default.notes.volume.tar.gz.enc").is_file() for path in early)
    run = backup(taken.variables, *elsewhere)
    assert run.status == 0, run.output[-6000:]
    assert len({path for path in folder.glob("*") if path.suffix != ".part"} - early) == 1
    assert cluster.server().ssh("sudo ls /var/lib/hearth").stdout.split() == ["backups"]
    assert cluster.lab.machine("pi2").ssh("sudo ls /var/lib/hearth").stdout == ""


def given(taken: Taken, *arguments: str) -> tuple[str, ...]:
    return (*HOSTS, "-e", f"from={taken.path}", "-e", f"@{taken.variables}", *arguments)


def restore(taken: Taken, *arguments: str) -> Run:
    return playbook.run("hearth.cluster.restore", *given(taken, *arguments), HEARTH_LAB=INSTANCE)


@pytest.fixture(scope="module")
def other(cluster: Cluster, taken: Taken, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """All is lost. A machine with another address is to become pi1, and pi2 has a new card: the options that say so."""
    cluster.lab.power_cut("pi1")
    cluster.lab.wipe("pi2")
    cluster.lab.up(["pi3"])
    address = cluster.lab.machine("pi3").address
    hosts = tmp_path_factory.mktemp("inventory") / "hosts.json"
    pi1 = {"ansible_host": address, "k3s_address": address}
    hosts.write_text(json.dumps({"k3s_server": {"hosts": {"pi1": pi1}}}))
    return "-i", str(hosts)


def is_as_it_was(cluster: Cluster, taken: Taken) -> None:
    assert psql(cluster, "select word from backed_up").split() == ["before"]
    cluster.kubectl("rollout", "status", "deployment/notes", "--timeout=120s")
    assert eventually(lambda: in_notes(cluster, "cat /notes/link").strip() == TEXT, 30)
    assert in_notes(cluster, "stat -c %u:%g:%a /notes/deep/text") == taken.owner
    assert cluster.get("secret", "postgresql", "-n", "postgresql")["data"] == taken.secret
    assert list(cluster.versions()) == ["pi1", "pi2"]


def later(cluster: Cluster) -> None:
    in_notes(cluster, "echo more > /notes/more")
    psql(cluster, "insert into backed_up values ('later')")


@pytest.mark.soak
def test_what_lies_in_its_place_is_replaced_on_the_explicit_word(cluster: Cluster, taken: Taken) -> None:
    later(cluster)
    in_notes(cluster, "echo later > /notes/deep/text")
    directory, agent = directory_of_notes(cluster), cluster.lab.machine("pi2")
    agent.ssh(f"sudo sed -i '1s/$/-of-later/' {TOKEN}")
    run = restore(taken, "-e", "overwrite=lab")
    assert run.status == 0, run.output[-8000:]
    is_as_it_was(cluster, taken)
    assert agent.ssh(f"sudo cat {TOKEN}").stdout == cluster.server().ssh(f"sudo cat {TOKEN}").stdout
    assert agent.ssh(f"sudo sh -c 'cat {directory}.before-restore-*/more'").stdout.strip() == "more"
    assert in_notes(cluster, "ls /notes").split() == ["deep", "link"]


def test_the_cluster_comes_back_on_another_machine(cluster: Cluster, taken: Taken, other: tuple[str, str]) -> None:
    killed("restore", *given(taken, *other), within=(30.0, 60.0))  # one that is over is not gone on with
    machines = [machine for machine in cluster.lab.machines() if machine.name != "pi1"]
    assert eventually(lambda: all(machine.answers() for machine in machines)), "one was starting again"
    run = restore(taken, *other, "--diff", "-vv")
    print(f"restore, after that: {run.seconds:.1f} s")
    assert run.status == 0, run.output[-8000:]
    assert "Volumes are put back from the backup: default/notes" in run.output
    is_as_it_was(cluster, taken)
    assert PASSPHRASE not in run.output
    assert cluster.server().ssh("sudo ls /var/lib/hearth").stdout == ""
    assert cluster.lab.machine("pi2").ssh("sudo ls /var/lib/hearth").stdout == ""
    storage = "/var/lib/rancher /var/lib/rancher/k3s /var/lib/rancher/k3s/storage"
    modes = cluster.lab.machine("pi2").ssh(f"sudo stat -c %A {storage}").stdout.split()
    assert not [mode for mode in modes if mode[8] == "w"], "nobody else may write beside the volumes"


def test_what_lies_in_its_place_is_not_replaced_without_the_explicit_word(
    cluster: Cluster, taken: Taken, other: tuple[str, str]
) -> None:
    """Nor is anything else that was done since: the restore is over, and the cluster is like any other that lives."""
    later(cluster)
    refused = restore(taken, *other)
    assert (refused.status != 0, refused.changes) == (True, ())
    said = " ".join(refused.output.split())
    assert "a cluster is alive on pi1" in said
    assert f"{directory_of_notes(cluster)} on pi2 has content" in said
    assert "-e overwrite=lab" in said
    assert in_notes(cluster, "ls /notes").split() == ["deep", "link", "more"]
    assert psql(cluster, "select word from backed_up").split() == ["before", "later"]


@pytest.mark.soak
def test_an_agent_that_runs_follows_the_server_to_another_address(
    cluster: Cluster, taken: Taken, tmp_path: Path
) -> None:
    """Without a volume to put back, nothing but the restore itself has a reason to stop it."""
    bare = Path(shutil.copytree(taken.path, tmp_path / "bare"))
    manifest = json.loads((bare / "manifest.json").read_text())
    for volume in manifest["volumes"]:
        volume.pop("archive", None)
    (bare / "manifest.json").write_text(json.dumps(manifest))
    cluster.lab.power_cut("pi3")
    cluster.lab.wipe("pi1")
    run = restore(replace(taken, path=bare))
    assert run.status == 0, run.output[-8000:]
    is_as_it_was(cluster, taken)
    configured = cluster.lab.machine("pi2").ssh("sudo cat /etc/rancher/k3s/config.yaml").stdout
    assert f"https://{cluster.lab.machine('pi1').address}:6443" in configured
