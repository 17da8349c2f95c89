# SPDX-License-Identifier: GPL-3.0-or-later
"""How a machine is patched, with a program in the place of dpkg."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.support.playbooks import HERE, ansible_playbook

TASKS = Path(__file__).parents[3] / "playbooks/tasks/patch_machine.yml"
DPKG = """#!/bin/sh
echo asked >> "$0.calls"
test $(wc -l < "$0.calls") -gt "$LOCKED" && exit "$STATUS"
echo "dpkg: error: $TAKEN with pid 1234" >&2
exit 2
"""
# Debian 12 does not know who has the lock; Debian 13 does, and names the other lock where the first one is free.
BY_ANOTHER = "dpkg frontend lock was locked by another process"
BY_NAME = "dpkg database lock was locked by unattended-upgr process"


def finish(directory: Path, *, locked: int, taken: str = BY_ANOTHER, status: int = 0) -> tuple[bool, int]:
    """Whether what was cut short is finished, and how many times dpkg was started; first it finds its lock taken."""
    dpkg = directory / "dpkg"
    dpkg.write_text(DPKG)
    dpkg.chmod(0o755)
    (task,) = [each for each in yaml.safe_load(TASKS.read_text()) if each["name"] == "Finish what was cut short"]
    play = {
        "hosts": "pi1",
        "gather_facts": False,
        "vars": {"__step": {"packages": ["vim"]}},
        "tasks": [{**task, "delay": 0}],
    }
    (directory / "play.json").write_text(json.dumps([play]))
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": {"pi1": HERE}}}))
    words = {"PATH": f"{directory}:{os.environ['PATH']}", "LOCKED": str(locked), "TAKEN": taken, "STATUS": str(status)}
    result, _said = ansible_playbook(directory, "-i", "hosts.json", "play.json", **words)
    return result == 0, len((directory / "dpkg.calls").read_text().splitlines())


@pytest.mark.parametrize("taken", [BY_ANOTHER, BY_NAME])
def test_another_upgrade_at_work_is_waited_for(tmp_path: Path, taken: str) -> None:
    assert finish(tmp_path, locked=2, taken=taken) == (True, 3)


def test_what_dpkg_cannot_do_is_not_tried_again(tmp_path: Path) -> None:
    assert finish(tmp_path, locked=0, status=1) == (False, 1)
