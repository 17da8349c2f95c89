# SPDX-License-Identifier: GPL-3.0-or-later
"""Role raspberry_pi on a booted machine: one restart on the first run, nothing on the second, and nobody locked out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import unavailable
from tests.lab import disk, playbook, requirements
from tests.lab.cluster import eventually
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab
INSTANCE = "provision"
HARDENED = {
    "raspberry_pi_ssh_hardening": True,
    "raspberry_pi_firewall": True,
    "raspberry_pi_firewall_open": ["9100/tcp"],
}


@pytest.fixture(scope="module")
def pi1() -> Iterator[Machine]:
    lacking = requirements.missing(requirements.MACHINES)
    if lacking:
        unavailable(requirements.explain(lacking))
    lab = Lab(INSTANCE)
    lab.down()
    lab.up(["pi1"])
    yield lab.machine("pi1")
    lab.down()


def provision(**parameters: object) -> playbook.Run:
    extra = ("--extra-vars", json.dumps(parameters)) if parameters else ()
    run = playbook.run("hearth.cluster.provision", "--limit", "pi1", *extra, HEARTH_LAB=INSTANCE)
    assert run.status == 0, run.output[-6000:]
    return run


def test_the_first_run_restarts_once_and_the_second_changes_nothing(pi1: Machine) -> None:
    before = pi1.boot_id
    assert "cgroup_enable=memory" not in pi1.ssh("cat /proc/cmdline").stdout
    predicted = playbook.run("hearth.cluster.provision", "--limit", "pi1", "--check", HEARTH_LAB=INSTANCE)
    assert predicted.status == 0, predicted.output[-6000:]
    assert predicted.changed > 0
    assert pi1.boot_id == before

    first = provision()
    assert first.output.count("Start the machine again]") == 1
    assert pi1.boot_id != before
    assert "cgroup_enable=memory" in pi1.ssh("cat /proc/cmdline").stdout
    again = provision()
    assert again.changes == (), again.output[-6000:]
    assert len(again.modules) <= 4, again.modules


def test_hardening_lets_the_operator_in_and_nobody_else(pi1: Machine) -> None:
    parameters = {**HARDENED, "raspberry_pi_firewall_trusted": [str(pi1.network.subnet)]}
    run = provision(**parameters)
    assert run.changed > 0
    effective = pi1.ssh("sudo /usr/sbin/sshd -T").stdout.splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no"} <= set(effective)
    assert "hearth-ssh-way-back" not in pi1.ssh("systemctl list-timers --all").stdout, "the way back is closed"
    rules = pi1.ssh("sudo nft list table inet hearth").stdout
    assert "tcp dport 9100 accept" in rules
    assert "policy drop" in rules

    again = provision(**parameters)
    assert again.changes == (), again.output[-6000:]
    pi1.reboot()
    assert "policy drop" in pi1.ssh("sudo nft list table inet hearth").stdout

    provision()
    assert pi1.ssh("sudo nft list table inet hearth", check=False).returncode != 0, "taken down on request"
    assert "passwordauthentication yes" in pi1.ssh("sudo /usr/sbin/sshd -T").stdout.splitlines(), "and given back"


def test_rules_that_would_lock_the_operator_out_are_taken_back(pi1: Machine) -> None:
    password = "correct horse battery"
    pi1.ssh("sudo chpasswd", given=f"pi:{password}\n")
    # A key is there, as the role demands; but this operator logs in by the password, which the rules forbid.
    by_password = {
        "ansible_password": password,
        "ansible_ssh_extra_args": "-o PubkeyAuthentication=no -o ControlPath=none",
    }
    rules = "sudo /usr/sbin/sshd -T | grep ^passwordauthentication"
    provision(**by_password)
    with subprocess.Popen(
        [*pi1.ssh_command(), pi1.name, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as earlier:
        hasty = {**by_password, "raspberry_pi_ssh_hardening": True, "__raspberry_pi_ssh_way_back": 40}
        run = playbook.run(
            "hearth.cluster.provision", "--limit", "pi1", "--extra-vars", json.dumps(hasty), HEARTH_LAB=INSTANCE
        )
        assert run.status != 0
        assert "pi1 let nobody in under the new SSH rules" in run.output, run.output[-6000:]
        assert password not in run.output
        assert eventually(lambda: "yes" in pi1.ssh(rules).stdout), "the former rules do not come back"
        assert earlier.communicate("still here\n")[0] == "still here\n", "a connection from before outlives all of it"
    provision(**by_password)
    assert "hearth-ssh-way-back" not in pi1.ssh("systemctl list-timers --all").stdout


# A board, its chip, the disk that it runs from, and what it gets: where the journal is kept, and lines of config.txt.
# The last test here: the machine stays another board.
BOARDS = [
    pytest.param(
        *("Raspberry Pi 3 Model B Plus Rev 1.3", "bcm2837", "mmcblk0", "volatile", {"dtoverlay=disable-bt"}),
        marks=pytest.mark.soak,
    ),
    pytest.param(
        *("Raspberry Pi 4 Model B Rev 1.5", "bcm2711", "nvme0n1", "persistent", {"dtoverlay=disable-bt"}),
        marks=pytest.mark.soak,
    ),
    (
        "Raspberry Pi Compute Module 5 Rev 1.0",
        "bcm2712",
        "mmcblk0",
        "volatile",
        {"dtoverlay=disable-bt-pi5", "kernel=kernel8.img"},
    ),
    ("", "", "nvme0n1", "", set()),  # no Raspberry Pi
]
# What the kernel would show of the board and of the disk with the root file system.
PRETEND = """
set -e
mount -o remount,bind,rw /sys
cd /sys/firmware/devicetree/base
printf %s "$1" > model
printf %s "$2" > compatible
mount -o remount,bind,ro /sys
mountpoint -q /sys/dev/block || mount -t tmpfs tmpfs /sys/dev/block
rm -rf /sys/dev/block/*
mkdir -p "/sys/dev/block/$3/$3p2/partition"
ln -s "$3/$3p2" "/sys/dev/block/$(awk '$5 == "/" { print $3 }' /proc/self/mountinfo)"
"""


@pytest.mark.parametrize(("model", "chip", "medium", "storage", "lines"), BOARDS)
def test_every_board_gets_what_fits_it(
    pi1: Machine, model: str, chip: str, medium: str, storage: str, lines: set[str]
) -> None:
    boot, journal = "/boot/firmware/config.txt", "/etc/systemd/journald.conf.d/99-hearth.conf"
    pi1.ssh(f"sudo tee {boot}", given=disk.CONFIG_TXT)
    pi1.ssh(f"sudo rm -f {journal}")
    pi1.ssh(f"sudo sh -s '{model}' 'brcm,{chip}' {medium}", given=PRETEND)
    parameters = {
        "raspberry_pi_disable": ["bluetooth"],
        "raspberry_pi_page_size": "4k",
        "raspberry_pi_reboot": False,
    }
    provision(**parameters)
    config = pi1.ssh(f"cat {boot}").stdout
    assert {line for line in config.splitlines() if line not in disk.CONFIG_TXT.splitlines()} - {"[pi5]"} == lines
    kept = pi1.ssh(f"grep ^Storage= {journal}", check=False).stdout.strip()
    assert kept == (f"Storage={storage}" if storage else "")
    again = provision(**parameters)
    assert (again.changes, len(again.modules) <= 4) == ((), True), again.modules
