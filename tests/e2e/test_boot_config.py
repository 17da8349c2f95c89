# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot files of a booted machine: what is asked for is in force after one reboot, and a power cut breaks no file.

A machine of the lab shows the kernel command line that its boot partition had when it started, as a Raspberry Pi does.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import need
from tests.lab import playbook, requirements
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.paths import REPOSITORY

pytestmark = pytest.mark.lab
INSTANCE = "bootconfig"
WANTED = {
    "command_line": {"present": {"cgroup_enable": ["memory"]}, "absent": ["cfg80211.ieee80211_regdom"]},
    "config": [{"device_tree": {"audio": False}}, {"filter": "pi5", "settings": {"kernel": "kernel8.img"}}],
}

# Two contents in turn, through the module's own writer, until the plug is pulled.
WRITE_FOR_EVER = """
from pathlib import Path
from ansible_collections.hearth.cluster.plugins.module_utils._pi.boot_files import write_text
while True:
    for letter in "ab":
        write_text(Path("/boot/firmware/config.txt"), letter * 100_000 + chr(10))
"""


@pytest.fixture(scope="module")
def pi1() -> Iterator[Machine]:
    need(requirements.MACHINES)
    lab = Lab(INSTANCE)
    lab.down()
    lab.up(["pi1"])
    yield lab.machine("pi1")
    lab.down()


def task(machine: Machine, *options: str) -> dict[str, Any]:
    """Run the module on the machine over SSH."""
    said = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "adhoc", machine.name, "-i", f"{machine.name},", "--become", "-o"),
            f"--ssh-common-args=-F {machine.ssh_config}",
            *("--extra-vars", "ansible_python_interpreter=/usr/bin/python3"),
            *("--module-name=hearth.cluster.boot_config", "--args", json.dumps(WANTED), *options),
        ],
        cwd=REPOSITORY,
        env=playbook.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    result: dict[str, Any] = json.loads(said.stdout.partition(" => ")[2])
    return result


def answers(result: dict[str, Any]) -> tuple[bool, bool]:
    return result["changed"], result["reboot_needed"]


def test_one_reboot_brings_the_boot_files_into_force(pi1: Machine) -> None:
    before = pi1.ssh("cat /boot/firmware/cmdline.txt").stdout
    assert answers(task(pi1, "--check")) == (True, True)
    assert pi1.ssh("cat /boot/firmware/cmdline.txt").stdout == before
    assert answers(task(pi1)) == (True, True)
    assert answers(task(pi1)) == (False, True)
    pi1.reboot()
    assert answers(task(pi1)) == (False, False)
    running = pi1.ssh("cat /proc/cmdline").stdout
    assert running == before.replace("cfg80211.ieee80211_regdom=GB", "cgroup_enable=memory")
    config = pi1.ssh("cat /boot/firmware/config.txt").stdout
    assert "dtparam=audio=off\n" in config
    assert config.endswith("[pi5]\nkernel=kernel8.img\n[all]\n")


def test_a_power_cut_while_writing_leaves_a_whole_file(pi1: Machine) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    utils = pi1.disk / "opt/ansible_collections/hearth/cluster/plugins/module_utils"
    utils.mkdir(parents=True)
    for part in ("_pi", "_errors.py"):
        subprocess.run(["cp", "-r", str(REPOSITORY / "plugins/module_utils" / part), str(utils)], check=True)
    config = pi1.disk / "boot/firmware/config.txt"
    for _cut in range(3):
        config.write_text("before=1\n")
        pi1.start()
        pi1.wait_ready()
        pi1.ssh("sudo tee /opt/write.py && sudo systemd-run --quiet python3 /opt/write.py", given=WRITE_FOR_EVER)
        deadline = time.monotonic() + 10
        while config.stat().st_size < 100_000:
            assert time.monotonic() < deadline, "the writer does not write"
            time.sleep(0.1)
        time.sleep(dice.uniform(0, 0.5))
        pi1.power_cut()
        assert config.read_text() in {letter * 100_000 + "\n" for letter in "ab"}
