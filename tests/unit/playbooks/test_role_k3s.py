# SPDX-License-Identifier: GPL-3.0-or-later
"""What role k3s makes of its parameters, and what it notes about machines: asked from a play on this computer alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.playbooks import HERE, ansible_playbook, tell, told

ROLE = Path(__file__).parents[3] / "roles/k3s"
PARTS = {"k3s_role": "server", "k3s_servers": ["pi2", "pi3"], "k3s_kubeconfig": ""}


def value(desk: Path, expression: str, *tasks: dict[str, Any], **variables: Any) -> Any:
    """That of an expression on pi2 after some task files of the role have run there, without pi3."""
    hosts = {"pi2": {}, "pi3": {"k3s_node_name": "Tower"}}
    (desk / "hosts.json").write_text(json.dumps({"k3s_server": {"hosts": hosts, "vars": HERE}}))
    play = {"hosts": "pi2", "gather_facts": False, "tasks": [*tasks, tell(expression)]}
    (desk / "play.json").write_text(json.dumps([play]))
    words = ("-i", "hosts.json", "play.json", "--extra-vars", json.dumps({**PARTS, **variables}))
    status, said = ansible_playbook(desk, *words)
    assert status == 0, said
    return told(said)


def from_role(name: str) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": "hearth.cluster.k3s", "tasks_from": name, "public": True}}


def test_a_server_outside_of_the_run_has_the_node_name_that_the_inventory_gives_it(tmp_path: Path) -> None:
    assert value(tmp_path, "hostvars.pi3.__k3s_record.node_name", from_role("look_elsewhere")) == "tower"


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, "~/.kube/home"),
        ({"k3s_cluster_name": "home.lan"}, "~/.kube/home.lan"),
        ({"k3s_kubeconfig": "~/.kube/home.lan.yaml"}, "~/.kube/home.lan"),
    ],
)
def test_former_tokens_are_kept_under_the_name_of_the_cluster(
    tmp_path: Path, variables: dict[str, str], path: str
) -> None:
    given = {"k3s_servers": ["pi2"], **variables}
    kept = value(tmp_path, "__k3s_former_tokens_path", from_role("look_elsewhere"), **given)
    assert kept == str(Path(f"{path}.former-tokens").expanduser())


def test_an_agent_knows_the_port_of_the_servers(tmp_path: Path) -> None:
    given = {"k3s_servers": ["pi3"], "k3s_role": "agent", "k3s_server_config": {"https-listen-port": 7443}}
    assert value(tmp_path, "__k3s_wishes.port", from_role("look_elsewhere"), **given) == 7443


def seen(*, ready: bool = True) -> dict[str, Any]:
    """What was noted about pi2, whose k3s runs."""
    node = {"name": "pi2", "ready": ready, "ready_message": "", "heartbeat": 3.0, "etcd_voter": True}
    k3s = {
        "service": {"active": "active", "enabled": True, "started_at": 2.0, "running_for": 3600.0},
        "binary": {"modified_at": 1.0},
        "datastore": "etcd",
        "api": {"ready": True, "nodes": [node]},
    }
    return {"name": "pi2", "role": "server", "node_name": "pi2", "probe": {"k3s": k3s}}


WRITTEN = {
    "__k3s_record": seen(),
    "__k3s_files": [],
    "__k3s_token_files": [],
    "__k3s_archive_changes": {"old": []},
}


@pytest.mark.parametrize(
    ("brought", "need"),
    [
        ({"skipped": True, "changed": False}, ""),
        ({"changed": True}, "restarted"),
        # A run that was killed left a task behind, which put it there after the machine had been looked at.
        ({"changed": False}, "restarted"),
    ],
)
def test_k3s_is_restarted_for_a_binary_that_was_another_one_at_the_look(
    tmp_path: Path, brought: dict[str, bool], need: str
) -> None:
    assert value(tmp_path, "__k3s_need", from_role("configure"), **WRITTEN, __k3s_binary=brought) == need


def test_a_node_that_the_look_has_not_shown_ready_is_waited_for(tmp_path: Path) -> None:
    given = {**WRITTEN, "__k3s_record": seen(ready=False), "__k3s_binary": {"skipped": True, "changed": False}}
    assert value(tmp_path, "__k3s_need", from_role("configure"), **given) == "started"


def test_k3s_is_restarted_where_the_servers_do_not_list_its_node(tmp_path: Path) -> None:
    agent = {**seen(), "name": "pi4", "role": "agent", "node_name": "pi4"}
    agent["probe"] = {"k3s": {**agent["probe"]["k3s"], "api": {"ready": False, "nodes": []}}}
    given = {**WRITTEN, "__k3s_record": agent, "__k3s_records": [seen(), agent]}
    binary = {"skipped": True, "changed": False}
    assert value(tmp_path, "__k3s_need", from_role("configure"), **given, __k3s_binary=binary) == "restarted"


def test_a_file_that_is_taken_away_shows_in_the_time_of_one_that_is_always_there() -> None:
    files = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__k3s_files"]
    optional = [each for each in files if "state" in each]
    assert {each["touches"] for each in optional} == {"/etc/rancher/k3s/config.yaml"}
    assert "/etc/rancher/k3s/config.yaml" in {each["path"] for each in files if each not in optional}
