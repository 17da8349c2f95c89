# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's commands show, and the files by which others reach its machines."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import __main__ as command_line
from tests.lab import rootfs, supervisor
from tests.lab.commands import table
from tests.lab.lab import Lab, MachineStatus, ssh_config


@pytest.fixture
def empty_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("HEARTH_LAB_DISKS", str(tmp_path))
    monkeypatch.setenv("HEARTH_LAB", "unit")
    return Lab()


def test_the_table_has_a_line_for_each_machine() -> None:
    rows = [MachineStatus("pi1", "10.77.0.11", "on", True, 25), MachineStatus("pi2", "10.77.0.12", "off", False, None)]
    assert table(rows).splitlines() == [
        "NODE  ADDRESS     STATE  SSH  MEMORY",
        "pi1   10.77.0.11  on     yes  25 MiB",
        "pi2   10.77.0.12  off    no   -",
    ]


def test_ssh_reads_user_address_and_key_from_the_written_configuration(tmp_path: Path) -> None:
    configuration = tmp_path / "ssh_config"
    configuration.write_text(ssh_config({"pi1": "10.77.0.11", "pi2": "10.77.0.12"}, tmp_path))
    shown = subprocess.run(["ssh", "-G", "-F", str(configuration), "pi2"], capture_output=True, text=True, check=True)
    settings = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
    assert (settings["hostname"], settings["user"]) == ("10.77.0.12", "pi")
    assert settings["identityfile"] == str(tmp_path / "id_ed25519")
    assert settings["stricthostkeychecking"] in {"true", "yes"}


def test_machines_are_listed_by_number_and_lock_files_are_none(empty_lab: Lab) -> None:
    for name in ("pi10", "pi2", ".#pi2.lck", "pi3.unfinished"):
        (empty_lab.home / "machines" / name).mkdir(parents=True)
    assert [machine.name for machine in empty_lab.machines()] == ["pi2", "pi10"]
    assert [status.state for status in empty_lab.status()] == ["off", "off"]


@pytest.mark.parametrize("arguments", [["ssh", "pi9"], ["power-cut", "pi9"], ["reboot", "pi9"], ["start", "pi9"]])
def test_a_machine_that_is_not_there_is_named_and_so_are_those_that_are(
    arguments: list[str], empty_lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_lab.home / "machines" / "pi1").mkdir(parents=True)
    assert command_line.main(arguments) == 1
    assert capsys.readouterr().err == "lab: lab unit has no machine pi9; it has: pi1\n"


def test_machines_with_one_number_are_refused(empty_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.requirements.require", lambda requirements: None)
    with pytest.raises(Exception, match="pi1 and node1 end in the same number and so share"):
        empty_lab.up(["pi1", "node1"])
    assert not empty_lab.home.exists()


def test_a_supervisor_is_known_by_its_lock_and_not_by_what_its_file_says(tmp_path: Path) -> None:
    lock = tmp_path / "pi1.power"
    assert supervisor.holder(lock) is None
    lock.write_text("1")
    assert supervisor.holder(lock) is None
    program = (
        "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); "
        "f.write(str(os.getpid())); f.flush(); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert supervisor.holder(lock) == holder.pid
        holder.kill()
    assert supervisor.holder(lock) is None


def test_the_root_file_system_is_built_anew_when_its_recipe_changes() -> None:
    recipes = [rootfs.MACHINE, rootfs.OLDER_MACHINE, rootfs.ARM64]
    changed = replace(rootfs.MACHINE, packages=f"{rootfs.MACHINE.packages},cowsay")
    assert len({recipe.name for recipe in [*recipes, changed]}) == 4
    assert replace(changed, packages=rootfs.MACHINE.packages).name == rootfs.MACHINE.name
