# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubeconfig playbooks use: that of the cluster, and never one that the environment happens to name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import ansible_playbook

HOUSE = Path(__file__).parents[3]


def play(directory: Path, *words: str, variables: dict[str, Any]) -> tuple[int, str]:
    servers = {"hosts": {"pi1.invalid": {}}, "vars": variables}
    (directory / "hosts.json").write_text(json.dumps({"k3s_cluster": {"children": {"k3s_server": servers}}}))
    status, said = ansible_playbook(
        directory, "-i", "hosts.json", *words, KUBECONFIG=str(directory / "of-another-cluster")
    )
    return status, " ".join(said.split())


@pytest.mark.parametrize("name", ["packages", "evacuate"])
def test_without_one_no_other_cluster_is_asked(tmp_path: Path, name: str) -> None:
    variables = {"k3s_kubeconfig": "", "k3s_kubeconfig_merge": "~/.kube/config"}
    status, said = play(tmp_path, f"hearth.cluster.{name}", "-e", "node=pi1.invalid", variables=variables)
    assert status != 0, said
    assert "k3s_kubeconfig is empty" in said
    assert "of-another-cluster" not in said


def test_the_variables_of_the_cluster_tell_the_path(tmp_path: Path) -> None:
    known = {
        "__kubeconfig": {
            "localhost": HOUSE / "playbooks/vars/controller.yml",
            "pi1.invalid": HOUSE / "playbooks/vars/node_tasks.yml",
        },
        "__backup_kubeconfig": {"pi1.invalid": HOUSE / "roles/backup/vars/main.yml"},
    }
    plays = [
        {
            "hosts": host,
            "gather_facts": False,
            "vars_files": [str(file)],
            "tasks": [{"ansible.builtin.assert": {"that": f"{variable} == '~/.kube/house.lan.yaml'"}}],
        }
        for variable, files in known.items()
        for host, file in files.items()
    ]
    (tmp_path / "play.json").write_text(json.dumps(plays))
    status, said = play(tmp_path, "play.json", variables={"k3s_cluster_name": "house.lan"})
    assert status == 0, said
    assert said.count("All assertions passed") == 3
