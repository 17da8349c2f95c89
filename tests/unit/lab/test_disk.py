# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new machine's disk has beyond the common root file system."""

from __future__ import annotations

import subprocess

import pytest

from tests.lab import disk
from tests.lab.network import Network

MACHINE_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def files() -> dict[str, disk.File]:
    return disk.own_files("pi2", Network("hearth"), MACHINE_ID, "ssh-ed25519 KEY lab\n")


def test_the_kernel_command_line_is_one_line_that_names_the_root_of_fstab(files: dict[str, disk.File]) -> None:
    line = files["boot/firmware/cmdline.txt"].text
    assert line.count("\n") == 1
    root = next(word.removeprefix("root=") for word in line.split() if word.startswith("root="))
    assert f"{root}  /  " in files["etc/fstab"].text


def test_the_address_is_static_and_its_file_beats_the_container_default(files: dict[str, disk.File]) -> None:
    path = next(path for path in files if path.startswith("etc/systemd/network/"))
    assert path.rsplit("/", 1)[1] < "80-container-host0.network"
    assert "Address=10.77.0.12/24\nGateway=10.77.0.1\n" in files[path].text


def test_the_user_may_become_root_and_only_the_key_lets_in(files: dict[str, disk.File]) -> None:
    assert files["etc/sudoers.d/010_pi-nopasswd"] == disk.File("pi ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    assert files["home/pi/.ssh/authorized_keys"] == disk.File("ssh-ed25519 KEY lab\n", 0o600)


def test_two_machines_differ_in_name_address_and_identity_alone(files: dict[str, disk.File]) -> None:
    other = disk.own_files("pi3", Network("hearth"), disk.new_machine_id(), "ssh-ed25519 KEY lab\n")
    assert {path for path in files if files[path] != other[path]} == {
        "boot/firmware/cmdline.txt",
        "etc/fstab",
        "etc/hostname",
        "etc/hosts",
        "etc/machine-id",
        "etc/systemd/network/10-lab.network",
    }


def test_the_script_of_the_boot_is_valid_and_shows_every_setting_that_kubelet_wants() -> None:
    script = disk.prepare_script()
    checked = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    for path, value in disk.SHOWN_SYSCTLS.items():
        assert f"\nshow {path} {value}\n" in script
