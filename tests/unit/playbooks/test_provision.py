# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook provision does about nodes that an earlier run left out of service. Roles have run, and lookups and
modules only answer.
"""

from __future__ import annotations

import json
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
    file.write(given["name"] + " " + given["state"] + "\\n")
print(json.dumps({"changed": True}))
"""
OBJECTS = """
import json, jmespath
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **given):
        nodes = json.load(open("nodes.json"))
        if not nodes:
            raise AnsibleLookupError("no server answers")
        found = [each for each in nodes if given["label_selector"] in each["metadata"]["labels"]]
        return jmespath.search(given["query"], found)
"""
API_SERVER = """
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **given):
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
        for name in ("tasks", "vars"):
            (folder / name).symlink_to(PLAYBOOKS / name)
        (collection / "plugins/lookup/objects.py").write_text(OBJECTS)
        (collection / "plugins/lookup/api_server.py").write_text(API_SERVER)
        (collection / "plugins/modules/node.py").write_text(MODULE.replace("FILE", repr(str(folder / "asked"))))
        (folder / "home.yaml").touch()

    def returned(self, nodes: list[dict[str, Any]], **variables: Any) -> list[str]:
        """Which nodes are brought back. The last machine is no node yet, and the fourth must start again."""
        hosts = {
            f"pi{number}": {
                "__raspberry_pi_host": {"hostname": f"Pi{number}", "cluster_member": number < 5},
                "__raspberry_pi_restart_is_due": False,
            }
            for number in (1, 2, 3, 4, 5)
        }
        hosts["pi4"]["__raspberry_pi_restart_is_due"] = True
        common = {**HERE, "ansible_become": False, "k3s_kubeconfig": str(self.folder / "home.yaml"), **variables}
        inventory = {"k3s_cluster": {"hosts": hosts, "vars": common}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        (self.folder / "nodes.json").write_text(json.dumps(nodes))
        play = yaml.safe_load((PLAYBOOKS / "provision.yml").read_text())[1]
        play["tasks"] = [each for each in play["tasks"] if "plan_restarts" not in str(each)]
        (self.folder / "play.json").write_text(json.dumps([play]))
        status, said = ansible_playbook(
            self.folder, "-i", "hosts.json", "play.json", ANSIBLE_COLLECTIONS_PATH=str(self.folder)
        )
        assert status == 0, said
        asked = self.folder / "asked"
        return asked.read_text().splitlines() if asked.exists() else []


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_node_that_a_killed_run_left_out_of_service_comes_back_unless_it_ails_or_starts_again(desk: Desk) -> None:
    assert desk.returned(NODES) == ["pi2 returned"]


def test_a_cluster_that_does_not_answer_stands_in_nobodys_way(desk: Desk) -> None:
    assert desk.returned([]) == []


@pytest.mark.parametrize("path", ["", "/nowhere/home.yaml"])
def test_without_a_kubeconfig_nobody_is_asked(desk: Desk, path: str) -> None:
    assert desk.returned(NODES, k3s_kubeconfig=path) == []
