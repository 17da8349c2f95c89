# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order role raspberry_pi starts machines again, with a command in the place of the restart."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.support.playbooks import HERE, ansible_playbook

TASKS = Path(__file__).parents[3] / "roles/raspberry_pi/tasks/reboot.yml"
TOGETHER = "touch $0; for i in $(seq 150); do test -e blank1 -a -e blank2 && exit; sleep 0.2; done; exit 1"
ALONE = "mkdir down && sleep 1 && rmdir down"


def restart(directory: Path, command: str, *names: str) -> tuple[int, str]:
    """All four machines are in the run, and those that are named start again. Two are nodes of a cluster."""
    hosts = {
        name: {"__raspberry_pi_host": {"cluster_member": name.startswith("pi")}}
        for name in ("blank1", "blank2", "pi1", "pi2")
    }
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": HERE}}))
    (task,) = yaml.safe_load(TASKS.read_text())
    del task["ansible.builtin.reboot"]
    argv = ["sh", "-c", command, "{{ inventory_hostname }}"]
    task |= {
        "ansible.builtin.command": {"argv": argv, "chdir": str(directory)},
        "when": f"inventory_hostname in {[*names]}",
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
    (directory / "play.json").write_text(json.dumps([play]))
    return ansible_playbook(directory, "-i", "hosts.json", "play.json")


def test_machines_that_are_no_nodes_go_at_once_though_nodes_are_in_the_run(tmp_path: Path) -> None:
    status, said = restart(tmp_path, TOGETHER, "blank1", "blank2")
    assert status == 0, said


def test_nodes_go_one_after_the_other(tmp_path: Path) -> None:
    status, said = restart(tmp_path, ALONE, "pi1", "pi2")
    assert status == 0, said
