# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup, restore and reset end on the controller where they must not go on: no machine is asked for anything."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import HERE, ansible_playbook, tell, told

ROOT = Path(__file__).parents[3]
ROLE_VARS = ROOT / "roles" / "backup" / "vars" / "main.yml"
MANIFEST = {
    "format": 1,
    "name": "20261127T030000Z",
    "cluster": "0a" * 32,
    "cluster_name": "home",
    "k3s_version": "v1.36.3+k3s1",
    "datastore": "sqlite",
    "files": [
        {"name": "notes", "size": 3, "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}
    ],
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The folder in which an operator works: an inventory whose machines do not exist, and a backup."""
    hosts = {"k3s_cluster": {"children": {"k3s_server": {"hosts": {"pi1.invalid": {}}}}}}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes").write_text("foo")
    (tmp_path / "taken" / "manifest.json").write_text(json.dumps(MANIFEST))
    return tmp_path


def play(desk: Path, name: str, **variables: Any) -> str:
    words = ("-i", "hosts.json", f"hearth.cluster.{name}", "--extra-vars", json.dumps(variables))
    status, said = ansible_playbook(desk, *words)
    assert status != 0, said
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param({}, "Which backup? Name its directory with -e from=DIRECTORY", id="none"),
        pytest.param({"from": "nowhere"}, "nowhere is no directory on this machine", id="not there"),
        pytest.param(
            {"from": "taken", "k3s_cluster_name": "lab"}, "is of cluster home, and the inventory", id="another"
        ),
        pytest.param({"from": "taken", "k3s_version": "v1.35.4+k3s1"}, "which is older", id="older"),
    ],
)
def test_a_backup_that_does_not_fit_ends_a_restore(desk: Path, variables: dict[str, str], message: str) -> None:
    said = play(desk, "restore", **variables)
    assert message in said
    assert "UNREACHABLE" not in said


def test_damage_ends_a_restore(desk: Path) -> None:
    (desk / "taken" / "notes").write_text("fop")
    said = play(desk, "restore", **{"from": "taken"})
    assert "taken/notes is damaged" in said
    assert "UNREACHABLE" not in said


COMMAND = {"name": "db", "namespace": "db", "pod": "db-0", "command": ["dump"]}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"backup_keep": 0}, "backup_keep is 0, and no backup would be kept"),
        ({"backup_server_keep": -1}, "backup_server_keep is -1"),
        ({"backup_commands": [COMMAND, COMMAND]}, "2 commands of the name db"),
    ],
)
def test_what_would_lose_a_backup_is_refused(desk: Path, variables: dict[str, Any], message: str) -> None:
    said = play(desk, "backup", **variables)
    assert message in said
    assert "UNREACHABLE" not in said


def value(desk: Path, name: str, **variables: Any) -> Any:
    """What role backup makes of parameters, asked from a playbook that lies elsewhere."""
    book = desk / "elsewhere" / "play.json"
    book.parent.mkdir()
    asked = {"hosts": "localhost", "gather_facts": False, "vars_files": [str(ROLE_VARS)]}
    book.write_text(json.dumps([{**asked, "tasks": [tell(name)]}]))
    status, said = ansible_playbook(desk, str(book), "--extra-vars", json.dumps(variables))
    assert status == 0, said
    return told(said)


def test_a_relative_directory_is_meant_from_where_the_operator_stands(desk: Path) -> None:
    assert value(desk, "__backup_home", backup_directory="backups") == str(desk / "backups")


@pytest.mark.parametrize("given", [{"k3s_node_name": "Tower"}, {"__backup_probe": {"host": {"hostname": "Tower"}}}])
def test_a_node_is_known_by_the_name_that_k3s_makes_of_the_one_that_is_given(desk: Path, given: dict[str, Any]) -> None:
    assert value(desk, "__backup_node_name", **given) == "tower"


def test_k3s_is_not_told_of_s3_while_it_takes_a_file(desk: Path) -> None:
    config = {"etcd-s3": True, "etcd-s3-bucket": "b", "cluster-init": True, "cluster-cidr": "10.1.0.0/16"}
    taken = {"node-name": "pi1", "cluster-cidr": "10.1.0.0/16"}
    given = {"k3s_config": config, "__k3s_record": {"node_name": "pi1"}}
    assert value(desk, "__backup_reset_config", **given) == taken


def test_what_a_killed_run_has_laid_out_to_be_fetched_goes_with_k3s(desk: Path) -> None:
    paths = {trace["path"] for trace in value(desk, "__backup_traces")}
    assert "/var/lib/hearth/transfer" in paths


def test_what_is_fetched_goes_from_each_machine_also_where_that_fails(desk: Path) -> None:
    """A backup, and two volumes on another machine, of which the second is not there."""
    (desk / "uploads").mkdir()
    volumes = [
        {"claim": f"blog/{name}", "name": f"blog.{name}.volume", "host": "pi2", "node": "pi2", "path": str(desk / name)}
        for name in ("uploads", "lost")
    ]
    programs = ROOT / "roles/backup/files"
    given = {
        "__backup_archives": {"volumes": volumes},
        "__backup_home": str(desk / "backups"),
        "__backup_program": [sys.executable, str(programs / "hearth_backup.py")],
        "__backup_taken": {"path": str(desk / "taken"), "manifest": MANIFEST},
        "__backup_transfer": str(desk / "transfer"),
        "__backup_volume_files": [],
        "__backup_volume_program": [sys.executable, str(programs / "hearth_volume.py")],
        "backup_passphrase": "",
    }
    fetch = {
        "ansible.builtin.include_role": {"name": "hearth.cluster.backup", "tasks_from": "carry"},
        "vars": {"__backup_errand": "fetch.yml"},
    }
    (desk / "hosts.json").write_text(json.dumps({"all": {"hosts": {"pi1": HERE, "pi2": HERE}}}))
    (desk / "play.json").write_text(json.dumps([{"hosts": "pi1", "gather_facts": False, "tasks": [fetch]}]))
    status, said = ansible_playbook(desk, "-i", "hosts.json", "play.json", "-e", json.dumps(given))
    assert status != 0
    assert f"pi2: there is no directory {desk / 'lost'}" in said
    fetched = {path.name for path in desk.glob("backups/20261127T030000Z.part/*")}
    assert fetched == {"manifest.json", "notes", "blog.uploads.volume.tar.gz"}, said
    left = re.findall(r"Leave nothing on the way\] \*+\n\w+: \[(.*)\]", said)
    assert left == ["pi1 -> pi2", "pi1 -> pi2", "pi1"], said
    assert not (desk / "transfer").exists()


def test_the_next_backup_removes_it_on_all_servers(desk: Path) -> None:
    left = desk / "transfer"
    left.mkdir()
    (left / "server.tar.gz").write_text("the token")
    install = {"ansible.builtin.include_role": {"name": "hearth.cluster.backup", "tasks_from": "install"}}
    (desk / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [install]}]))
    given = {"__backup_files": [], "__backup_units": [], "__backup_transfer": str(left)}
    status, said = ansible_playbook(desk, "play.json", "-e", json.dumps(given))
    assert status == 0, said
    assert not left.exists()


@pytest.mark.parametrize(
    ("progress", "stale"),
    [
        ({"in_place": True, "half_done": []}, []),
        ({"in_place": False, "half_done": ["localhost"]}, ["restored-volumes.json"]),
        ({"in_place": False, "half_done": []}, ["restore.json", "restored-volumes.json"]),
    ],
)
def test_notes_that_are_not_true_any_more_are_forgotten(desk: Path, progress: dict[str, Any], stale: list[str]) -> None:
    given = {"__backup_progress": progress, "backup_overwrite": ""}
    notes = value(desk, "__backup_stale_notes", **given)
    assert [Path(note["path"]).name for note in notes] == stale


@pytest.mark.parametrize(("in_place", "dumps"), [(True, ["mail"]), (False, ["db", "mail"])])
def test_a_dump_that_was_given_back_is_given_again_only_by_a_whole_restore(
    desk: Path, in_place: bool, dumps: list[str]
) -> None:
    commands = [{"name": "db", "restore": ["psql"]}, {"name": "mail", "restore": ["take"]}, {"name": "logs"}]
    given = {
        "__backup_examined": {"commands": commands},
        "__backup_note": {"given_back": ["db"]},
        "__backup_progress": {"in_place": in_place},
        "backup_overwrite": "",
        "k3s_servers": ["localhost"],
    }
    assert value(desk, "__backup_dumps", **given) == dumps


@pytest.mark.parametrize("variables", [{}, {"confirm": "another"}])
def test_no_machine_is_touched_before_the_name_of_the_cluster_was_said(desk: Path, variables: dict[str, str]) -> None:
    said = play(desk, "reset", **variables)
    assert "Nothing was changed: the cluster is called home" in said
    assert "UNREACHABLE" not in said


def test_the_name_lets_it_go_on_to_the_machines(desk: Path) -> None:
    assert "UNREACHABLE" in play(desk, "reset", confirm="home")


@pytest.fixture
def harmless(desk: Path) -> Path:
    """The real playbooks and plugins beside roles that take nothing away, and one of two machines that answers."""
    collection = desk / "ansible_collections" / "hearth" / "cluster"
    collection.mkdir(parents=True)
    for real in ("playbooks", "plugins"):
        (collection / real).symlink_to(ROOT / real)
    for step in ("backup/tasks/remove.yml", "k3s/tasks/uninstall.yml"):
        (collection / "roles" / step).parent.mkdir(parents=True)
        (collection / "roles" / step).write_text("- ansible.builtin.raw: echo it goes\n")
    here = {"ansible_connection": "local", "ansible_become": False, "k3s_cluster_name": "attic"}
    hosts = {"pi1": here, "pi2.invalid": {**here, "ansible_connection": "ssh"}}
    (desk / "hosts.json").write_text(json.dumps({"all": {"children": {"upstairs": {"hosts": hosts}}}}))
    return desk


def reset(desk: Path, machines: str) -> tuple[int, str]:
    words = ("-e", "confirm=attic", "-e", f"hearth_cluster={machines}")
    status, said = ansible_playbook(
        desk, "-i", "hosts.json", "hearth.cluster.reset", *words, ANSIBLE_COLLECTIONS_PATH="."
    )
    return status, " ".join(said.split())


@pytest.mark.parametrize("machines", ["upstairs", "pi1:pi2.invalid"])
def test_a_machine_that_does_not_answer_is_not_said_to_be_without_k3s(harmless: Path, machines: str) -> None:
    status, said = reset(harmless, machines)
    assert status != 0
    assert "of cluster attic are removed from pi1, pi2.invalid." in said
    assert "k3s is still on pi2.invalid: run this again when they answer" in said
    assert "The machines are without k3s" not in said


def test_those_that_answer_are(harmless: Path) -> None:
    status, said = reset(harmless, "pi1")
    assert status == 0, said
    assert "The machines are without k3s" in said
