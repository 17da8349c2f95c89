# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine in another one's place is met under its new host key, with a program in the place of ssh."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.playbooks import ansible_playbook

MEET = Path(__file__).parents[3] / "playbooks/tasks/meet.yml"
FORMER = "pi2 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
# Believes a key at once only where it is told to; then the machine is this computer.
SSH = """#!/bin/sh
case "$*" in *StrictHostKeyChecking=accept-new*) ;; *) cat "$0.refusal" >&2; exit 255 ;; esac
for word; do :; done
exec /bin/sh -c "$word"
"""
CHANGED = """@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key verification failed.
"""
FORGOTTEN = """No ED25519 host key is known for pi2 and you have requested strict checking.
Host key verification failed.
"""


def meet(directory: Path, refusal: str) -> tuple[int, str]:
    ssh = directory / "ssh"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    (directory / "ssh.refusal").write_text(refusal)
    (directory / "known_hosts").write_text(FORMER)
    variables = {
        "ansible_ssh_executable": str(ssh),
        "ansible_ssh_pipelining": True,
        "ansible_python_interpreter": sys.executable,
        "card_known_hosts": str(directory / "known_hosts"),
    }
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": {"pi2": variables}}}))
    tasks = [{"ansible.builtin.include_tasks": str(MEET)}]
    (directory / "play.json").write_text(json.dumps([{"hosts": "pi2", "gather_facts": False, "tasks": tasks}]))
    return ansible_playbook(directory, "-i", "hosts.json", "play.json")


@pytest.mark.parametrize("refusal", [CHANGED, FORGOTTEN], ids=["another key", "forgotten by a run that was cut short"])
def test_the_first_answer_is_believed(tmp_path: Path, refusal: str) -> None:
    status, said = meet(tmp_path, refusal)
    assert status == 0, said
    assert FORMER not in (tmp_path / "known_hosts").read_text()


def test_a_machine_that_refuses_the_operator_keeps_its_key(tmp_path: Path) -> None:
    meet(tmp_path, "pi@pi2: Permission denied (publickey).\n")
    assert (tmp_path / "known_hosts").read_text() == FORMER
