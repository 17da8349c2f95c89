# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be there before the first machine is upgraded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.playbooks import ansible_playbook

PLAYBOOK = Path(__file__).parents[3] / "playbooks" / "upgrade_k3s.yml"
SETTINGS = ("serial", "any_errors_fatal", "max_fail_percentage")


def emptied(name: str, *tasks: dict[str, Any]) -> dict[str, Any]:
    """A play of the playbook with other tasks, on three machines that are this computer."""
    play = next(each for each in yaml.safe_load(PLAYBOOK.read_text()) if each["name"] == name)
    kept = {key: value for key, value in play.items() if key in SETTINGS}
    return {"hosts": "all", "gather_facts": False, **kept, "tasks": list(tasks)}


def test_no_server_is_upgraded_without_the_snapshot(tmp_path: Path) -> None:
    fails = {"ansible.builtin.fail": {"msg": "no room"}, "when": "inventory_hostname == 'pi1'"}
    upgrades = {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} is upgraded"}}
    book = [
        emptied("Save the cluster's state as it is", fails),
        emptied("Upgrade the servers, one at a time", upgrades),
    ]
    (tmp_path / "play.json").write_text(json.dumps(book))
    hosts = {name: {"ansible_connection": "local"} for name in ("pi1", "pi2", "pi3")}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    status, said = ansible_playbook(tmp_path, "-i", "hosts.json", "play.json")
    assert status != 0
    assert "is upgraded" not in said
