# SPDX-License-Identifier: GPL-3.0-or-later
"""The token and the database's password are nowhere where somebody could read them who should not."""

from __future__ import annotations

import base64
import shlex

import pytest

from tests.lab import playbook
from tests.lab.cluster import Cluster
from tests.lab.machine import Machine
from tests.lab.playbook import Run

pytestmark = pytest.mark.lab

# Run by root, so that it sees everything: argument lists, unit files, the journal, and every world-readable file
# outside of the kernel's and the containers' own trees. The secret comes on standard input and is kept in a file of
# root's own, or this very search would put it into an argument list.
SEARCH = r"""
set -u
umask 077
secret=$(mktemp)
trap "rm -f $secret" EXIT
cat > "$secret"
ps axww -o args | grep -F -f "$secret" && echo "found in the argument list of a process"
systemctl cat "k3s*" 2>/dev/null | grep -F -f "$secret" && echo "found in a unit file"
journalctl --no-pager | grep -F -f "$secret" && echo "found in the journal"
find /etc /usr/local /tmp /var/tmp /home /var/log /root /opt -xdev -type f -perm -o+r -size -4M -print0 |
    xargs -0 grep -l -F -f "$secret" | sed "s/^/found in the world-readable file /"
true
"""


@pytest.fixture(scope="session")
def secrets(cluster: Cluster) -> dict[str, str]:
    full = cluster.token()
    data = cluster.get("secrets", "-n", "postgresql")["items"]
    password = next(item["data"]["password"] for item in data if "password" in item.get("data", {}))
    found = {"token": full.rsplit(":", 1)[-1], "password": base64.b64decode(password).decode()}
    assert all(len(secret) >= 8 for secret in found.values()), "a secret this short proves nothing"
    return found


def found_on(machine: Machine, secret: str) -> str:
    return machine.ssh(f"sudo bash -c {shlex.quote(SEARCH)}", given=secret).stdout.replace(secret, "***")


@pytest.mark.parametrize("name", ["token", "password"])
def test_no_machine_shows_a_secret_to_its_other_users(cluster: Cluster, secrets: dict[str, str], name: str) -> None:
    assert {machine.name: found_on(machine, secrets[name]) for machine in cluster.lab.machines()} == {
        machine.name: "" for machine in cluster.lab.machines()
    }


def test_the_search_finds_what_is_there(cluster: Cluster) -> None:
    machine = cluster.server()
    machine.ssh("echo planted-for-this-test | tee /tmp/planted | sudo systemd-cat")
    try:
        found = found_on(machine, "planted-for-this-test")
        assert "in the journal" in found
        assert "in the world-readable file /tmp/planted" in found
    finally:
        machine.ssh("rm /tmp/planted")


def test_no_output_of_a_playbook_shows_a_secret(secrets: dict[str, str], demo: str, again: Run, foretold: Run) -> None:
    for output in (demo, again.output, foretold.output):
        assert [name for name, secret in secrets.items() if secret in output] == []


def test_a_changed_password_is_shown_as_changed_and_not_as_text(cluster: Cluster, secrets: dict[str, str]) -> None:
    other = "another-password-for-this-test"
    run = playbook.run("hearth.cluster.packages", "--check", "--diff", "-e", f"postgresql_password={other}", "-vvv")
    assert run.status == 0, run.output[-4000:]
    # Ansible repeats its own command line at this verbosity; the person who typed the password there has shown it
    # already.
    shown = "\n".join(line for line in run.output.splitlines() if "postgresql_password=" not in line)
    assert other not in shown
    assert secrets["password"] not in run.output
    assert run.changed > 0, "the new password would have been applied, and the plan must say so"
