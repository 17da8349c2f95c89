# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore in which machines drop out: whole plays of Ansible, whose machines are this computer or nowhere."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.playbooks import ansible_playbook, tell, told

REPOSITORY = Path(__file__).parents[3]
PLAYBOOK = REPOSITORY / "playbooks" / "restore.yml"
SERVERS = ["pi1", "pi2", "pi3"]
DROPS_OUT: dict[str, Any] = {
    "name": "Provision",
    "ansible.builtin.fail": {"msg": "apt failed"},
    "when": "inventory_hostname in lost",
}


def step(name: str, **when: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.include_role": {"name": "hearth.cluster.backup", "tasks_from": name}, **when}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    hosts = {name: {"ansible_connection": "local"} for name in (*SERVERS, "pi4")}
    hosts["pi5"] = {"ansible_host": "pi5.invalid"}
    (tmp_path / "hosts.json").write_text(json.dumps({"k3s_cluster": {"hosts": hosts}}))
    return tmp_path


def plays(desk: Path, *tasks: dict[str, Any], machines: str = "pi1:pi2:pi3", **variables: Any) -> tuple[int, str]:
    """Let machines drop out in one play, and do these tasks in the next; what that says, and how it ends."""
    usual = {"hosts": machines, "gather_facts": False}
    given = {"k3s_servers": SERVERS, "ansible_python_interpreter": sys.executable, "lost": [], **variables}
    book = [{**usual, "tasks": [DROPS_OUT]}, {**usual, "any_errors_fatal": True, "tasks": list(tasks)}]
    (desk / "play.json").write_text(json.dumps(book))
    status, said = ansible_playbook(desk, "-i", "hosts.json", "play.json", "-e", json.dumps(given))
    return status, " ".join(said.split())


OVERWRITE = {"name": "Overwrite", "ansible.builtin.debug": {"msg": "it is overwritten"}}


@pytest.mark.parametrize("lost", ["pi1", "pi2"])
def test_nothing_is_overwritten_where_a_server_could_not_be_made_ready(desk: Path, lost: str) -> None:
    status, said = plays(desk, step("demand_servers"), OVERWRITE, lost=[lost])
    assert status != 0
    assert f"{lost} could not be made ready, and would come back as a second cluster" in said
    assert "it is overwritten" not in said


def test_an_agent_that_could_not_be_made_ready_keeps_no_server_from_it(desk: Path) -> None:
    said = plays(desk, step("demand_servers"), OVERWRITE, machines="pi1:pi2:pi3:pi4", lost=["pi4"])[1]
    assert "it is overwritten" in said


@pytest.mark.parametrize(("lost", "word"), [("pi1", ""), ("pi4", "home"), ("pi5", "")])
def test_a_restore_is_not_over_before_every_machine_has_taken_part(desk: Path, lost: str, word: str) -> None:
    """pi4 fails, and pi5 does not answer."""
    status, said = plays(desk, step("end"), machines=f"pi1:pi2:{lost}", lost=[lost], backup_overwrite=word)
    assert status != 0
    assert f"The restore is not over: {lost} did not take part to the end" in said
    assert ("without -e overwrite" in said) == bool(word)
    assert "End the restore" not in said


@pytest.mark.parametrize("program", ["true", "false"])
def test_what_was_put_aside_is_closed_while_another_run_can_still_do_it(desk: Path, program: str) -> None:
    note = f"{desk}/{{{{ inventory_hostname }}}}.json"
    for name in SERVERS:
        (desk / f"{name}.json").write_text("{}")
    places = {"__backup_note_file": note, "__backup_restored_volumes": str(desk / "volumes.json")}
    given = {"__backup_restorer": [program], "__backup_stage": str(desk / "stage"), "backup_overwrite": ""}
    plays(desk, step("end"), **places, **given)
    assert [(desk / f"{name}.json").exists() for name in SERVERS] == [program == "false"] * 3


def test_what_is_brought_is_on_its_way_where_it_goes_also_if_that_fails(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a run that is ended leaves it, and the next one removes it."""
    monkeypatch.setenv("ANSIBLE_VERBOSITY", "3")  # tells where it goes
    (desk / "taken").mkdir()
    for name in ("manifest.json", "blog.tar.gz"):
        (desk / "taken" / name).write_text(name)
    status, said = plays(
        desk,
        step("volumes"),
        machines="pi1",
        backup_from=str(desk / "taken"),
        __backup_bare=[],
        __backup_may_overwrite=False,
        __backup_node="pi1",
        __backup_transfer=str(desk / "transfer"),
        __backup_volume_files=[],
        __backup_volume_program=["false"],
        __backup_volumes_due=[{"claim": "blog/uploads", "archive": {"name": "blog.tar.gz"}}],
        __k3s_record={"probe": {"k3s": {"installed_roles": []}}},
    )
    assert status != 0
    assert re.findall(r"PUT \S+/blog.tar.gz TO (\S+)/ansible-tmp", said) == [str(desk / "transfer")], said
    assert not (desk / "transfer").exists()
    bring = yaml.safe_load((REPOSITORY / "roles/backup/tasks/bring.yml").read_text())[-1]
    assert bring["vars"] == {"ansible_remote_tmp": "{{ __backup_transfer }}"}


def test_what_was_on_its_way_takes_no_room_of_the_volumes() -> None:
    first, measure, *rest = yaml.safe_load((REPOSITORY / "roles/backup/tasks/look_at_volumes.yml").read_text())
    assert first["hearth.cluster.files"] == {"files": "{{ __backup_left }}"}
    assert "hearth.cluster.volume_copy" in measure
    assert not any("hearth.cluster.volume_copy" in task for task in rest)


def test_no_node_is_marked_before_the_cluster_has_begun(desk: Path) -> None:
    """The play is the controller's own, which does not fail with the machines."""
    manifest = {"cluster_name": "home", "name": "20261127T030000Z", "nodes": []}
    status, said = plays(desk, step("settle"), machines="localhost", __backup_examined=manifest)
    assert status != 0
    assert "Cluster home has not begun with the data of 20261127T030000Z" in said
    assert "Mark the nodes" not in said


def test_a_node_that_no_person_had_cordoned_is_left_as_it_is(desk: Path) -> None:
    """A drain's cordon is for the drain to take back, and one that came since the backup is somebody's."""
    settle = yaml.safe_load((REPOSITORY / "roles/backup/tasks/settle.yml").read_text())
    asked = next(task["hearth.cluster.node"] for task in settle if "hearth.cluster.node" in task)
    marks = {option: asked[option] for option in ("taints", "cordoned")}
    noted = {"labels": {}, "taints": [], "cordoned": True}
    loop = [{**noted, "cordoned_by_drain": by_drain} for by_drain in (False, True)]
    status, said = plays(
        desk,
        {"name": "Ask for it", "ansible.builtin.set_fact": marks, "loop": loop, "register": "asked"},
        tell("asked.results | map(attribute='ansible_facts')"),
        machines="localhost",
    )
    assert status == 0, said
    assert told(said) == [{"taints": [], "cordoned": True}, {"taints": []}]


def test_the_servers_are_counted_before_anything_else_is_done_after_provisioning() -> None:
    plays = yaml.safe_load(PLAYBOOK.read_text())
    provision = next(at for at, play in enumerate(plays) if play["name"] == "Make the operating systems ready")
    first = plays[provision + 1]["tasks"][0]
    assert first["ansible.builtin.include_role"]["tasks_from"] == "demand_servers"


def test_pods_of_servers_that_begin_anew_run_on_until_the_first_server_has_begun() -> None:
    names = [task["name"] for task in yaml.safe_load((REPOSITORY / "roles/backup/tasks/begin.yml").read_text())]
    ended = names.index("End what runs on servers that begin anew")
    assert names.index("Forget the nodes that are not there, and what the others were known by") < ended
    assert ended < names.index("Note that the cluster lives on the data of the backup")


def test_agents_stand_still_before_they_are_given_a_token_and_looked_at() -> None:
    """One that runs is taken for one that has read what lies there, and knows the servers."""
    stops, *later = yaml.safe_load((REPOSITORY / "roles/backup/tasks/begin.yml").read_text())
    assert stops["ansible.builtin.systemd_service"] == {"name": "k3s-agent", "state": "stopped"}
    names = [task["name"] for task in later]
    assert names.index("Give each machine the token of the cluster") < names.index("Look at all machines together")
