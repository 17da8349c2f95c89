# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: machines that boot, reboot, lose power and are wiped, and a host that is afterwards as it was before.

It uses an instance of its own, so that another lab may be up meanwhile, though not come, go or be wiped.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.lab import requirements, supervisor
from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.paths import REPOSITORY, instance_directory, runtime_directory

pytestmark = pytest.mark.lab
INSTANCE = "labtest"
UPLINK_FORWARDING = "grep -H . /proc/sys/net/ipv4/conf/*/forwarding"

# Writes a line when it is stopped in order; a power cut gives it no time to.
FAREWELL = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/rm -f /var/lib/farewell
ExecStop=/bin/sh -c 'sleep 1; echo bye > /var/lib/farewell'
[Install]
WantedBy=multi-user.target
"""


def output(*command: str) -> set[str]:
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def traces() -> dict[str, set[str]]:
    """Everything on the host that a lab could leave behind."""
    programs = {path.parent.name: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    return {
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "tables": output("nft", "list", "tables"),
        "forwarding": output("sh", "-c", UPLINK_FORWARDING),
        "mounts": set(Path("/proc/mounts").read_text().splitlines()),
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("**/hearth-lab/*") if path.is_dir()},
        "processes": {pid for pid, line in programs.items() if f"{INSTANCE}-".encode() in line},
        "files": {str(path) for path in Path("/run").glob(f"**/*{INSTANCE}*")},
        "nspawn": {str(path) for path in Path("/run/systemd/nspawn").glob("*/*")},
    }


@pytest.fixture(scope="module")
def own_lab() -> Iterator[Lab]:
    need(requirements.MACHINES)
    lab = Lab(INSTANCE)
    lab.down()
    before = traces()
    yield lab
    lab.down()
    after = traces()
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind]} == {}
    assert not instance_directory(INSTANCE).exists()
    assert not runtime_directory(INSTANCE).exists()


@pytest.fixture
def pi1(own_lab: Lab) -> Machine:
    own_lab.up(["pi1"])
    return own_lab.machine("pi1")


def test_a_machine_is_healthy_and_looks_like_a_raspberry_pi(pi1: Machine) -> None:
    assert pi1.ssh("systemctl is-system-running --wait", check=False).stdout.strip() == "running"
    assert pi1.ssh("sudo id -un").stdout.strip() == "root"
    assert pi1.ssh("cat /sys/firmware/devicetree/base/model").stdout.startswith("Raspberry Pi")
    journals = pi1.ssh("sudo find /run/log/journal /var/log/journal -name '*.journal'").stdout.split()
    assert journals
    assert all(path.startswith("/run/") for path in journals), journals
    enabled = pi1.ssh("systemctl is-enabled systemd-timesyncd containerd", check=False).stdout.split()
    assert enabled == ["enabled", "disabled"]


def test_a_machine_can_hold_what_kubelet_needs(pi1: Machine) -> None:
    assert pi1.ssh("findmnt --noheadings --output PROPAGATION /").stdout.strip() == "shared"
    assert pi1.ssh("cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/panic").stdout.split() == ["1", "10"]
    pi1.ssh("sudo sysctl --quiet --write net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1")
    pi1.ssh(
        "set -e; cd $(mktemp --directory --tmpdir=/var/tmp); mkdir lower upper work merged; "
        "sudo mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; sudo umount merged"
    )
    # A control group with a memory limit can be made, in whichever version the host has.
    top = "/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup"
    files = pi1.ssh(f"sudo sh -ec 'mkdir {top}/try; ls {top}/try; rmdir {top}/try'").stdout.split()
    assert {"memory.limit_in_bytes", "memory.max"} & set(files)


def test_machines_reach_each_other(own_lab: Lab, pi1: Machine) -> None:
    own_lab.up(["pi1", "pi2"])
    pi1.ssh(f"sudo ping -c 1 -W 2 {own_lab.machine('pi2').address}")


def test_an_edited_command_line_and_settings_show_after_a_reboot(own_lab: Lab, pi1: Machine) -> None:
    before, host_keys = pi1.boot_id, pi1.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout
    pi1.ssh("sudo sed -i 's/$/ cgroup_enable=memory/' /boot/firmware/cmdline.txt")
    pi1.ssh("echo net.ipv4.ip_forward=1 | sudo tee /etc/sysctl.d/90-test.conf")
    assert "cgroup_enable=memory" not in pi1.ssh("cat /proc/cmdline").stdout
    own_lab.reboot("pi1")
    assert pi1.boot_id != before
    assert pi1.ssh("cat /proc/cmdline").stdout.rstrip().endswith(" cgroup_enable=memory")
    assert pi1.ssh("cat /proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    assert pi1.ssh("cat /etc/ssh/ssh_host_ed25519_key.pub").stdout == host_keys
    assert pi1.ssh("systemctl is-system-running --wait", check=False).stdout.strip() == "running"


def test_a_shutdown_lets_services_end_and_a_power_cut_does_not(own_lab: Lab, pi1: Machine) -> None:
    pi1.ssh("sudo tee /etc/systemd/system/farewell.service >/dev/null", given=FAREWELL)
    pi1.ssh("sudo systemctl --quiet enable --now farewell")
    own_lab.power_cut("pi1")
    assert not pi1.is_on
    assert [(row.node, row.state, row.ssh) for row in own_lab.status() if row.node == "pi1"] == [("pi1", "off", False)]
    own_lab.start("pi1")
    assert pi1.ssh("ls /var/lib/farewell", check=False).returncode != 0
    pi1.shut_down()
    assert (pi1.disk / "var/lib/farewell").read_text() == "bye\n"


def test_a_wiped_machine_is_another_machine_of_the_same_name(own_lab: Lab, pi1: Machine) -> None:
    identity = "cat /etc/machine-id /etc/ssh/ssh_host_*_key.pub"
    pi1.ssh("echo mine | sudo tee /var/lib/mine")
    before = pi1.ssh(identity).stdout.splitlines()
    own_lab.wipe("pi1")
    after = pi1.ssh(identity).stdout.splitlines()
    assert len(after) == len(before) == 4
    assert not set(after) & set(before)
    assert pi1.ssh("ls /var/lib/mine", check=False).returncode != 0
    assert pi1.ssh("hostname").stdout == "pi1\n"


def test_up_mends_what_a_crash_left_and_leaves_alone_what_is_on(own_lab: Lab) -> None:
    own_lab.up(["pi1", "pi2", "pi3"])
    pi1, pi2, pi3 = (own_lab.machine(name) for name in ("pi1", "pi2", "pi3"))
    untouched = pi3.boot_id
    locks = runtime_directory(INSTANCE)
    # One machine runs on without its supervisor; the other's own process dies and the supervisor finds it gone.
    os.kill(supervisor.holder(locks / "pi1.power") or 0, signal.SIGKILL)
    children = output("pgrep", "--parent", str(supervisor.holder(locks / "pi2.power")))
    os.kill(int(children.pop()), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while pi2.is_on and time.monotonic() < deadline:
        time.sleep(0.1)
    own_lab.up(["pi1", "pi2", "pi3"])
    assert pi1.answers()
    assert pi2.answers()
    assert pi3.boot_id == untouched
    pi1.ssh(f"sudo ping -c 1 -W 2 {pi2.address}")


def test_the_commands_say_what_is_there_and_hand_on_exit_statuses(own_lab: Lab, pi1: Machine) -> None:
    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.lab", "--lab", INSTANCE, *arguments]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    rows = json.loads(lab("status", "--json").stdout)
    assert {"node": "pi1", "address": pi1.address, "state": "on", "ssh": True}.items() <= rows[0].items()
    assert lab("ssh", "pi1", "exit 7").returncode == 7
    assert lab("ssh", "pi1", "hostname").stdout == "pi1\n"
    assert lab("power-cut", "pi1").returncode == 0
    off = lab("ssh", "pi1", "true")
    assert (off.returncode, off.stderr) == (1, "lab: pi1 is off; switch it on with: python -m tests.lab start pi1\n")


def test_a_machine_that_dies_while_one_waits_for_it_is_reported_with_its_console(own_lab: Lab, pi1: Machine) -> None:
    own_lab.power_cut("pi1")
    with pytest.raises(
        LabError, match=r"pi1 went off before it could answer to SSH; the end of its console \(.*pi1\.log\)"
    ):
        pi1.wait_ready()
