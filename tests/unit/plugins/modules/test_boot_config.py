# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as a task runs it, on a machine that is a folder."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.modules import boot_config

CGROUP = {"command_line": {"present": {"cgroup_enable": ["memory"]}, "absent": ["cgroup_memory"]}}
CONFIG = {
    "config": [
        {"settings": {"gpu_mem": 16, "camera_auto_detect": False}, "device_tree": {"audio": False}},
        {"filter": "pi5", "settings": {"kernel": "kernel8.img"}, "overlays": {"disable-wifi-pi5": {}}},
    ]
}
FIRMWARES = "coherent_pool=1M cgroup_disable=memory smsc95xx.macaddr=DC:A6:32:00:00:01 "
LINE = "console=tty1 root=PARTUUID=4e639091-02 rootwait cgroup_memory=1 ds=nocloud;i=pi1\n"
AFTER = "console=tty1 root=PARTUUID=4e639091-02 rootwait ds=nocloud;i=pi1 cgroup_enable=memory\n"


class Machine:
    """A root folder that the module takes for the machine."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.boot, self._capsys = root, root / "boot/firmware", capsys
        self.boot.mkdir(parents=True)
        (root / "proc/1").mkdir(parents=True)
        self.write("cmdline.txt", LINE)
        self.write("config.txt", "dtparam=audio=on\n\n[all]\n")
        self.start()

    def write(self, name: str, text: str) -> None:
        (self.boot / name).write_bytes(text.encode())

    def read(self, name: str) -> str:
        return (self.boot / name).read_bytes().decode()

    def start(self, line: str | None = None) -> None:
        """Start with the files as they are now, an hour after they were written."""
        for file in self.boot.iterdir():
            os.utime(file, (time.time() - 7200, time.time() - 7200))
        for record in self.root.glob("run/hearth/*"):
            record.unlink()
        (self.root / "proc/cmdline").write_text(FIRMWARES + (line or self.read("cmdline.txt")))
        (self.root / "proc/stat").write_text(f"cpu 1 2 3\nbtime {int(time.time()) - 3600}\n")
        (self.root / "proc/1/stat").write_text("1 (a (b) c) S " + " ".join(["0"] * 18 + ["100"] + ["0"] * 20))

    def run(self, check: bool = False, **params: Any) -> dict[str, Any]:
        options = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(options), pytest.raises(SystemExit):
            boot_config.main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return result


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(boot_config, "ROOT", tmp_path)
    return Machine(tmp_path, capsys)


def test_check_predicts_run_changes_and_a_second_run_does_not(machine: Machine) -> None:
    predicted = machine.run(check=True, **CGROUP, **CONFIG)
    assert machine.read("cmdline.txt") == LINE
    assert not (machine.root / "run").exists()
    result = machine.run(**CGROUP, **CONFIG)
    assert result == predicted
    assert result["changed"]
    assert result["changed_files"] == [str(machine.boot / "cmdline.txt"), str(machine.boot / "config.txt")]
    assert machine.read("cmdline.txt") == AFTER
    assert machine.read("config.txt") == (
        "dtparam=audio=off\n\n[all]\ngpu_mem=16\ncamera_auto_detect=0\n"
        "[pi5]\nkernel=kernel8.img\ndtoverlay=disable-wifi-pi5\n[all]\n"
    )
    again = machine.run(**CGROUP, **CONFIG)
    assert (again["changed"], again["changed_files"], again["diff"]) == (False, [], [])


def test_the_difference_names_each_setting(machine: Machine) -> None:
    line, config = machine.run(check=True, **CGROUP, **CONFIG)["diff"]
    assert line["before"].splitlines() == LINE.split()
    assert line["after"].splitlines() == AFTER.split()
    assert config["before"] == "dtparam=audio=on\n"
    assert "[pi5] dtoverlay=disable-wifi-pi5\n" in config["after"]
    assert config["after_header"].endswith("boot/firmware/config.txt")


def test_a_start_is_needed_until_the_machine_started_with_the_files(machine: Machine) -> None:
    assert machine.run()["reboot_needed"] is False
    assert machine.run(**CGROUP)["reboot_needed"] is True
    assert machine.run(**CGROUP)["reboot_needed"] is True
    machine.start()
    assert machine.run(**CGROUP)["reboot_needed"] is False
    assert machine.run(**CONFIG)["reboot_needed"] is True
    assert machine.run(**CONFIG)["reboot_needed"] is True
    machine.start()
    assert machine.run(**CGROUP, **CONFIG)["reboot_needed"] is False


def test_a_change_that_is_taken_back_needs_no_start(machine: Machine) -> None:
    machine.run(config=[{"settings": {"gpu_mem": 16}}])
    assert machine.run(config=[{"settings": {"gpu_mem": None}}])["reboot_needed"] is False


def test_a_change_by_somebody_else_since_the_start_is_seen(machine: Machine) -> None:
    machine.write("config.txt", "gpu_mem=64\n")
    assert machine.run(config=[{"settings": {"gpu_mem": 64}}])["reboot_needed"] is True


def test_a_file_time_to_come_is_no_change(machine: Machine) -> None:
    os.utime(machine.boot / "config.txt", (time.time() + 5000, time.time() + 5000))
    assert machine.run(config=[{"device_tree": {"audio": True}}])["reboot_needed"] is False


def test_an_argument_that_the_firmware_gives_does_not_ask_for_a_start_for_ever(machine: Machine) -> None:
    result = machine.run(command_line={"absent": ["cgroup_disable"]})
    assert (result["changed"], result["reboot_needed"]) == (False, False)


def test_an_argument_removed_from_the_front_still_runs(machine: Machine) -> None:
    result = machine.run(command_line={"absent": ["console=tty1"]})
    assert (result["changed"], result["reboot_needed"]) == (True, True)
    machine.start()
    assert machine.run(command_line={"absent": ["console=tty1"]})["reboot_needed"] is False


def test_a_container_starts_again_at_most_once(machine: Machine) -> None:
    machine.start("BOOT_IMAGE=/vmlinuz root=/dev/host ro\n")
    assert machine.run(**CGROUP)["reboot_needed"] is True
    machine.start("BOOT_IMAGE=/vmlinuz root=/dev/host ro\n")
    assert machine.run(**CGROUP)["reboot_needed"] is False


def test_a_missing_config_is_made(machine: Machine) -> None:
    (machine.boot / "config.txt").unlink()
    assert machine.run(config=[{"settings": {"gpu_mem": 16}}])["changed"]
    assert machine.read("config.txt") == "gpu_mem=16\n"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"boot_directory": "/nowhere"}, "/nowhere is not a boot partition"),
        ({"config": [{"filter": "pi9"}]}, "no filter '[pi9]'"),
        ({"config": [{"overlays": {"disable-bt": True}}]}, "a mapping of its parameters"),
        ({"config": [{"settings": {"gpu_mem": [1]}}]}, "must be a string or a number"),
        ({"command_line": {"present": {"console": [{"a": 1}]}}}, "must be a string or a number"),
        ({"command_line": {"present": {"quiet": False}}}, "under 'absent'"),
    ],
)
def test_wrong_input_changes_nothing_and_says_one_sentence(
    machine: Machine, params: dict[str, Any], message: str
) -> None:
    result = machine.run(**params)
    assert result["failed"]
    assert message in result["msg"]
    assert machine.read("cmdline.txt") == LINE


def test_a_machine_that_is_no_pi_is_told_so(machine: Machine) -> None:
    for file in machine.boot.iterdir():
        file.unlink()
    assert "No boot partition was found" in machine.run(**CGROUP)["msg"]


def test_a_missing_command_line_is_not_invented(machine: Machine) -> None:
    (machine.boot / "cmdline.txt").unlink()
    assert "would lack the root file system" in machine.run(**CGROUP)["msg"]
