# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks do about nodes that an earlier run left out of service. Roles have run, lookups and modules only
answer, and the plan of the restarts is what is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.playbooks import HERE, ansible_playbook

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
MODULE = """#!/usr/bin/python
# WANT_JSON
import json, sys
given = json.load(open(sys.argv[1]))
with open(FILE, "a") as file:
    file.write(given["name"] + " " + given.get("state", "forgotten") + "\\n")
print(json.dumps({"changed": True}))
"""
# The database of pi2 is Pending until the node is back, and as long as a test wants it to be.
CLUSTER_INFO = """#!/usr/bin/python
import json
with open(FILE, "a+") as file:
    file.seek(0)
    is_back = "pi2 returned\\n" in file.readlines()
    file.write("looked\\n")
pod = {"namespace": "default", "name": "db-0", "owner": "StatefulSet db", "phase": "Pending", "node": ""}
pod |= {"status": "InProgress", "message": "does not fit anywhere"}
mark = {"hearth.cluster/out-of-service": "returned" if is_back else "playbook"}
print(json.dumps({
    "ready": True, "failing_checks": [], "etcd": {"members": []}, "workloads": {"unhealthy": []},
    "nodes": [{"name": "pi2", "ready": True, "labels": mark}],
    "pods": {"unhealthy": [] if is_back and DATABASE_COMES_BACK else [pod]},
}))
"""
PLAN_RESTARTS = [
    {"ansible.builtin.set_fact": {"__patch": {"steps": "{{ steps }}"}, "__in_order": ["{{ steps[0].name }}"]}},
]
OBJECTS = """
import json, jmespath
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **given):
        open("listed", "w").close()
        nodes = json.load(open("nodes.json"))
        found = [each for each in nodes if given["label_selector"] in each["metadata"]["labels"]]
        return jmespath.search(given["query"], found)
"""
API_SERVER = """
import json
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **given):
        if not json.load(open("nodes.json")):
            raise AnsibleLookupError("no server answers")
        return ["https://10.0.0.1:6443"]
"""


def node(name: str, *, ready: bool = True, **labels: str) -> dict[str, Any]:
    conditions = [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}


OUT = {"hearth.cluster/out-of-service": "playbook"}
NODES = [node("pi1"), node("pi2", **OUT), node("pi3", ready=False, **OUT), node("pi4", **OUT), node("pi9", **OUT)]


class Desk:
    """A folder with an inventory, and the second play of the playbook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        collection = folder / "ansible_collections" / "hearth" / "cluster"
        for name in ("lookup", "modules"):
            (collection / "plugins" / name).mkdir(parents=True)
        for name in ("filter", "module_utils", "plugin_utils"):
            (collection / "plugins" / name).symlink_to(PLAYBOOKS.parent / "plugins" / name)
        (folder / "vars").symlink_to(PLAYBOOKS / "vars")
        (folder / "tasks").mkdir()
        for path in (PLAYBOOKS / "tasks").iterdir():
            (folder / "tasks" / path.name).symlink_to(path)
        (folder / "tasks/plan_restarts.yml").unlink()
        (folder / "tasks/plan_restarts.yml").write_text(json.dumps(PLAN_RESTARTS))
        (collection / "plugins/lookup/objects.py").write_text(OBJECTS)
        (collection / "plugins/lookup/api_server.py").write_text(API_SERVER)
        (collection / "plugins/modules/node.py").write_text(MODULE.replace("FILE", repr(str(folder / "asked"))))
        (folder / "home.yaml").touch()

    def play(
        self,
        nodes: list[dict[str, Any]],
        *,
        due: Mapping[str, bool],
        comes_back: bool = True,
        then: Sequence[Mapping[str, Any]] = (),
        **variables: Any,
    ) -> tuple[str, list[str]]:
        """How it failed, and what was asked of the cluster. `due` says who starts again, and whether evacuated before.

        The last machine is no node yet. Other plays come `then`.
        """
        hosts = {
            name: {
                "__raspberry_pi_host": {"hostname": name, "cluster_member": name != "pi5"},
                "__raspberry_pi_restart_is_due": name in due,
            }
            for name in ("pi1", "pi2", "pi3", "pi4", "pi5")
        }
        steps = [{"name": name, "evacuates": evacuates} for name, evacuates in due.items()]
        common = {**HERE, "ansible_become": False, "k3s_kubeconfig": str(self.folder / "home.yaml"), "steps": steps}
        inventory = {"k3s_cluster": {"hosts": hosts, "vars": {**common, **variables}}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        (self.folder / "nodes.json").write_text(json.dumps(nodes))
        asked = self.folder / "asked"
        asked.touch()
        answers = CLUSTER_INFO.replace("FILE", repr(str(asked))).replace("DATABASE_COMES_BACK", str(comes_back))
        (self.folder / "ansible_collections/hearth/cluster/plugins/modules/cluster_info.py").write_text(answers)
        play = yaml.safe_load((PLAYBOOKS / "provision.yml").read_text())[1]
        (self.folder / "play.json").write_text(json.dumps([play, *then]))
        status, said = ansible_playbook(
            self.folder, "-i", "hosts.json", "play.json", ANSIBLE_COLLECTIONS_PATH=str(self.folder)
        )
        return " ".join(said.split()) if status else "", asked.read_text().splitlines()

    def returned(self, nodes: list[dict[str, Any]], **variables: Any) -> list[str]:
        """Which nodes are brought back where none starts again."""
        failure, asked = self.play(nodes, due={}, **variables)
        assert not failure, failure
        return asked


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_node_that_a_killed_run_left_out_of_service_comes_back_unless_it_ails(desk: Desk) -> None:
    first, *others, second, last = desk.returned(NODES)
    assert sorted(others) == ["pi2 returned", "pi4 returned"]
    assert (first, second, last) == ("looked", "looked", "pi2 forgotten")


def test_what_it_had_stopped_there_is_waited_for_once(desk: Desk) -> None:
    failure, asked = desk.play(NODES, due={}, comes_back=False, wait_timeout=3)
    assert "pi2, pi4 came back into service, and the cluster is not as well as it was" in failure
    assert "pod default/db-0: does not fit anywhere" in failure
    assert asked[-1] == "pi2 forgotten"


def test_what_a_killed_run_had_stopped_is_well_before_the_first_node_is_evacuated(desk: Desk) -> None:
    """The first look comes before any node is back; one that starts again itself comes back only after that."""
    assert desk.play(NODES, due={"pi4": True}) == (
        "",
        ["looked", "pi2 returned", "looked", "pi2 forgotten"],
    )


def test_no_node_is_evacuated_beside_a_database_that_does_not_come_back(desk: Desk) -> None:
    failure, _asked = desk.play(NODES, due={"pi4": True}, comes_back=False, wait_timeout=3)
    assert "pi2 came back into service, and the cluster is not as well as it was" in failure
    assert "pod default/db-0: does not fit anywhere" in failure


def test_a_machine_that_ails_may_be_what_the_cluster_lacks_and_starts_again_at_once(desk: Desk) -> None:
    asked = ["looked", "pi2 returned"]
    assert desk.play(NODES, due={"pi4": False, "pi1": True}, comes_back=False) == ("", asked)


LAST_OF_CLUSTER = yaml.safe_load((PLAYBOOKS / "cluster.yml").read_text())[-1]


def planned(**returns: bool) -> list[dict[str, Any]]:
    """The last play of playbook cluster, when the role has planned which nodes return."""
    plan = {"__k3s_plan": {"returns": "{{ returns[inventory_hostname] | default(false) }}"}}
    facts = {"hosts": "all", "gather_facts": False, "vars": {"returns": returns}}
    return [{**facts, "tasks": [{"ansible.builtin.set_fact": plan}]}, LAST_OF_CLUSTER]


def test_a_node_that_was_not_ready_comes_back_when_k3s_was_started_there(desk: Desk) -> None:
    """What playbook provision has found is not what playbook cluster brings back."""
    nodes = [node("pi1"), node("pi2", ready=False, **OUT)]
    asked = ["looked", "pi2 returned", "looked", "pi2 forgotten"]
    assert desk.play(nodes, due={}, then=planned(pi2=True)) == ("", asked)
    (desk.folder / "asked").unlink()
    assert desk.play([node("pi2", **OUT)], due={}, then=planned()) == ("", asked)


def test_a_restore_waits_when_the_nodes_have_their_marks_again_and_not_before(desk: Desk) -> None:
    restoring = {"__k3s_restoring": True, "comes_back": False}
    asked = ["looked", "pi2 returned"]
    assert desk.play([node("pi2", **OUT)], due={}, then=planned(pi2=True), **restoring) == ("", asked)


@pytest.mark.parametrize(
    ("mark", "ready", "waits"), [("returned", True, True), ("playbook", True, False), ("returned", False, False)]
)
def test_what_an_earlier_run_was_waiting_for_comes_before_the_first_machine(
    desk: Desk, mark: str, ready: bool, waits: bool
) -> None:
    marked = {"name": "pi2", "ready": ready, "labels": {"hearth.cluster/out-of-service": mark}}
    before = {"nodes": [marked], "pods": {"unhealthy": []}, "workloads": {"unhealthy": []}}
    task = {"ansible.builtin.include_tasks": "tasks/wait_for_earlier_run.yml"}
    play = {"hosts": "pi1", "gather_facts": False, "vars_files": ["vars/node.yml"], "tasks": [task]}
    facts = {"__before": before, "__kubeconfig": "home.yaml"}
    failure, asked = desk.play([node("pi2")], due={}, comes_back=False, wait_timeout=3, then=[{**play, "vars": facts}])
    assert ("An earlier run was cut short in this wait, and the cluster is not as well as it was" in failure) is waits
    assert ("looked" in asked) is waits


def test_a_cluster_that_does_not_answer_stands_in_nobodys_way_and_is_asked_once(desk: Desk) -> None:
    assert desk.returned([]) == []
    assert not (desk.folder / "listed").exists()


@pytest.mark.parametrize("path", ["", "/nowhere/home.yaml"])
def test_without_a_kubeconfig_nobody_is_asked(desk: Desk, path: str) -> None:
    assert desk.returned(NODES, k3s_kubeconfig=path) == []
