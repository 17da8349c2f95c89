# SPDX-License-Identifier: GPL-3.0-or-later
"""``--limit`` leaves the controller out, and with it what a playbook asks and refuses: no machine is touched then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.playbooks import ansible_playbook

WITH_THE_CONTROLLER = (
    "add_node",
    "evacuate",
    "patch_os",
    "remove_node",
    "replace_node",
    "restore",
    "upgrade_k3s",
)


def play(directory: Path, name: str, *arguments: str) -> str:
    hosts = {"k3s_cluster": {"children": {"k3s_server": {"hosts": {"pi1.invalid": {}, "pi2.invalid": {}}}}}}
    (directory / "hosts.json").write_text(json.dumps(hosts))
    status, said = ansible_playbook(directory, "-i", "hosts.json", f"hearth.cluster.{name}", *arguments)
    assert status != 0, said
    return " ".join(said.split())


@pytest.mark.parametrize("name", WITH_THE_CONTROLLER)
def test_without_the_controller_nothing_is_begun(tmp_path: Path, name: str) -> None:
    said = play(tmp_path, name, "--limit", "pi2.invalid", "-e", "node=pi2.invalid")
    assert "run it without --limit, or with --limit 'pi2.invalid,localhost'" in said
    assert "UNREACHABLE" not in said


def test_with_the_controller_it_goes_on(tmp_path: Path) -> None:
    assert "UNREACHABLE" in play(tmp_path, "patch_os", "--limit", "pi2.invalid,localhost")


@pytest.mark.parametrize("limit", ["pi2.invalid", "pi2.invalid,localhost"])
def test_a_reset_is_not_done_by_halves(tmp_path: Path, limit: str) -> None:
    said = play(tmp_path, "reset", "--limit", limit, "-e", "confirm=home")
    assert "without --limit, or take single nodes away with hearth.cluster.remove_node -e node=NAME" in said
    assert "UNREACHABLE" not in said
