# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook evacuate where the hosts of the inventory have other names than their nodes; its modules but
files only answer, and a server that does is always found.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import HERE, ansible_playbook

ROOT = Path(__file__).parents[3]
HOSTS = {"Pi2": {}, "pi3.home": {}, "third": {"k3s_node_name": "pi4"}}

# Stands for all modules but files: notes what it is asked, and answers what the test has written down for it.
MODULE = """#!/usr/bin/python
# WANT_JSON
import json, os, sys
given = json.load(open(sys.argv[1]))
os.chdir(FOLDER)
name = given["_ansible_module_name"].rpartition(".")[2]
asked = {key: value for key, value in given.items() if not key.startswith("_")}
with open("asked.jsonl", "a") as file:
    file.write(json.dumps({"module": name, "check": given["_ansible_check_mode"], **asked}) + "\\n")
print(json.dumps(json.load(open("answers.json"))[f"{name} {asked.get('state', '')}".strip()]))
"""
STAYS = "Node pi2 stays out of service, as it was before; hearth.cluster.evacuate -e node=Pi2 -e back=true opens it"
SERVER = "https://10.0.0.4:6443"
API_SERVER = f"""
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        return [{SERVER!r}]
"""


class Desk:
    """A folder with an inventory, the data, and a collection whose playbooks are the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.old = folder, folder / "old"
        self.old.mkdir()
        plugins = folder / "ansible_collections" / "hearth" / "cluster" / "plugins"
        (plugins / "modules").mkdir(parents=True)
        plugins.with_name("playbooks").symlink_to(ROOT / "playbooks")
        for real in ("filter", "module_utils", "plugin_utils"):
            (plugins / real).symlink_to(ROOT / "plugins" / real)
        (plugins / "lookup").mkdir()
        (plugins / "lookup" / "api_server.py").write_text(API_SERVER)
        (plugins / "modules" / "files.py").symlink_to(ROOT / "plugins" / "modules" / "files.py")
        for module in ("node", "volume_copy", "volume_move"):
            (plugins / "modules" / f"{module}.py").write_text(MODULE.replace("FOLDER", repr(str(folder))))
        self.write("hosts.json", {"k3s_cluster": {"hosts": HOSTS, "vars": {**HERE, "ansible_become": False}}})
        move = {"claim": "default/data", "path": "/pv", "new_path": "/pv.moved-1", "is_copied": False}
        plan = {"to": "pi3", "nodes": ["pi3", "pi4", "pi9"], "moves": [move], "address": "10.0.0.3", "run": "it"}
        left = [{"path": str(self.old)}]
        self.write(
            "answers.json",
            {
                "volume_move": {"changed": False, "health": {"StatefulSet default/db": "well"}, **plan},
                "volume_move moved": {"changed": True, "message": "moved", "old_copies": left},
                "volume_move cleaned": {"changed": True, "old_copies": left},
                "volume_copy": {"changed": False, "stored": {"/pv": 5}, "room": 7},
                "volume_copy copied": {"changed": True, "digest": "equal"},
                "node": {"changed": True},
                "node returned": {"changed": True, "message": "Node pi2: uncordoned"},
                "node drained": {"changed": True, "message": "empty", "fields": [], "left": []},
            },
        )

    def write(self, name: str, content: object) -> None:
        (self.folder / name).write_text(json.dumps(content))

    def play(self, *tasks: dict[str, Any]) -> tuple[int, str]:
        """Tasks for the first machine."""
        files = [str(ROOT / "playbooks" / "vars" / name) for name in ("node_tasks.yml", "node.yml")]
        book = [{"hosts": "Pi2", "gather_facts": False, "vars_files": files, "tasks": list(tasks)}]
        self.write("play.json", book)
        return ansible_playbook(self.folder, "-i", "hosts.json", "play.json", ANSIBLE_COLLECTIONS_PATH=".")

    def evacuate(self, *arguments: str, limit: str = "all,localhost") -> tuple[int, str]:
        words = ("-i", "hosts.json", "hearth.cluster.evacuate", "--limit", limit)
        given = (part for each in arguments for part in ("-e", each))
        return ansible_playbook(self.folder, *words, *given, ANSIBLE_COLLECTIONS_PATH=".")

    def asked(self, module: str, state: str | None = None) -> list[dict[str, Any]]:
        """The options of a module's calls in their order."""
        calls = map(json.loads, (self.folder / "asked.jsonl").read_text().splitlines())
        return [each for each in calls if (each["module"], each.get("state")) == (module, state)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_cluster_is_asked_by_names_of_nodes_and_the_machines_by_those_of_hosts(desk: Desk) -> None:
    status, output = desk.evacuate("node=Pi2", "to=pi3.home", "move_volumes=true", "remove_old=true")
    assert status == 0, output
    _stored, planned = desk.asked("volume_move")
    assert (planned["node"], planned["to"]) == ("pi2", "pi3")
    assert [name for name, said in planned["measured"].items() if "room" in said] == ["pi2", "pi3", "pi4"]
    assert "no host of the inventory is that node" in planned["measured"]["pi9"]["msg"]
    assert [each["targets"] for each in desk.asked("volume_copy")] == [["/pv.moved-1"]] * 3
    (drained,) = desk.asked("node", "drained")
    assert (drained["name"], drained["moving_claims"]) == ("pi2", ["default/data"])
    copies = desk.asked("volume_copy", "copied")
    assert sorted(each["node_name"] for each in copies) == ["pi2", "pi3"]
    target = {"node": "pi3", "path": "/pv.moved-1", "address": "10.0.0.3"}
    assert all((each["source"], each["target"]) == ({"node": "pi2", "path": "/pv"}, target) for each in copies)
    (moved,) = desk.asked("volume_move", "moved")
    assert (moved["node"], moved["to"], moved["health_before"]) == ("pi2", "pi3", {"StatefulSet default/db": "well"})
    assert f"pi2 still holds {desk.old}" in output
    assert not desk.old.exists()
    assert [(each["node"], each["check"]) for each in desk.asked("volume_move", "cleaned")] == [
        ("pi2", True),
        ("pi2", False),
    ]


@pytest.mark.parametrize(
    ("fields", "health", "words"),
    [
        (["spec.unschedulable"], "well", "Node pi2: uncordoned"),
        ([], "well", STAYS),
        (
            [],
            "unknown",
            STAYS,
        ),  # an earlier run has stopped the database: one that was cut short, or one to unplug the machine
    ],
)
def test_a_node_that_this_run_has_closed_is_opened_again_when_the_copy_fails(
    desk: Desk, fields: list[str], health: str, words: str
) -> None:
    answers = json.loads((desk.folder / "answers.json").read_text())
    answers["volume_copy copied"] = {"failed": True, "msg": "no room"}
    answers["volume_move"]["health"] = {"StatefulSet default/db": health}
    answers["node drained"]["fields"] = fields
    desk.write("answers.json", answers)
    status, output = desk.evacuate("node=Pi2", "to=pi3.home", "move_volumes=true")
    assert status != 0
    assert f"no room\\n{words}" in output
    assert len(desk.asked("node", "returned")) == (1 if "uncordoned" in words else 0)


def test_what_no_machine_can_delete_is_not_forgotten(desk: Desk) -> None:
    status, output = desk.evacuate("node=pi8", "remove_old=true")
    assert status == 2
    assert f"Node pi8 still holds {desk.old}, and no host of the inventory is that node" in output
    assert [each["check"] for each in desk.asked("volume_move", "cleaned")] == [True]


def test_what_was_not_deleted_is_not_forgotten(desk: Desk) -> None:
    status, output = desk.evacuate("node=Pi2", "remove_old=true", limit="third,localhost")
    assert status == 0, output
    assert [each["check"] for each in desk.asked("volume_move", "cleaned")] == [True]
    assert desk.old.exists()


def test_a_server_that_answers_is_asked_whichever_the_kubeconfig_names(desk: Desk) -> None:
    desk.evacuate("node=Pi2", "move_volumes=true")
    calls = map(json.loads, (desk.folder / "asked.jsonl").read_text().splitlines())
    assert {each["server"] for each in calls if each["module"] != "volume_copy"} == {SERVER}


def test_a_node_that_a_person_takes_out_of_service_is_no_playbooks_to_bring_back(desk: Desk) -> None:
    desk.evacuate("node=Pi2")
    assert desk.asked("node", "drained")[0]["labels"] == {"hearth.cluster/out-of-service": None}


def test_pods_end_whose_volumes_are_given_up(desk: Desk) -> None:
    desk.evacuate("node=Pi2", '{"__given_up": ["default/old"]}')
    assert desk.asked("node", "drained")[0]["moving_claims"] == ["default/old"]


def test_what_a_person_says_of_scratch_volumes_holds_for_every_playbook_that_drains(desk: Desk) -> None:
    policy = dict.fromkeys(("unmanaged_pods", "immovable_pods", "forbidding_budgets"), "leave")
    words = {"policy": policy, "empty_dirs": "refuse", "__k3s_record": {"node_name": "pi2"}}
    take_out = {"ansible.builtin.include_tasks": str(ROOT / "playbooks" / "tasks" / "take_out.yml"), "vars": words}
    status, output = desk.play(take_out)
    assert status == 0, output
    (drained,) = desk.asked("node", "drained")
    assert (drained["empty_dirs"], drained["unmanaged_pods"], "finished_pods" in drained) == ("refuse", "leave", False)
