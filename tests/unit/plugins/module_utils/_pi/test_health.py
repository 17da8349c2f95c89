# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sensors of a board mean, and when a restart is due."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._pi.health import complaints
from ansible_collections.hearth.cluster.plugins.module_utils._pi.kernels import (
    boot_problem,
    flavour,
    newest,
    reboot_reasons,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_settings import KERNEL, board

V8, V8_OLD, PI5 = "6.12.47+rpt-rpi-v8", "6.6.74+rpt-rpi-v8", "6.12.47+rpt-rpi-2712"


def seen(**health: Any) -> dict[str, Any]:
    return board(health={**board()["health"], **health})


def test_a_board_that_is_well_says_nothing() -> None:
    assert complaints(board()) == []
    assert complaints(seen(throttled=None, temperature=None)) == []


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"throttled": 0x1}, ["the voltage is too low"]),
        ({"throttled": 0x50000}, ["since the last start it happened that the voltage", "since the last start"]),
        ({"throttled": 0x50005}, ["the voltage is too low", "is throttled"]),
        ({"temperature": 81.2}, ["81 °C"]),
        ({"file_system_errors": 3}, ["mmcblk0 has recorded 3 errors"]),
        ({"read_only": True}, ["mounted read-only"]),
        ({"life_used": "0x0a"}, ["has used 100 %"]),
        ({"life_used": "0x01"}, []),
    ],
)
def test_each_trouble_is_one_sentence(health: dict[str, Any], words: list[str]) -> None:
    said = complaints(seen(**health))
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


@pytest.mark.parametrize(("kind", "latency", "warns"), [("sd", 85.0, True), ("nvme", 0.4, False), ("sd", None, False)])
def test_a_disk_that_is_too_slow_for_etcd_is_named(kind: str, latency: float | None, warns: bool) -> None:
    said = complaints({**board(), "medium": {"kind": kind, "device": "disk", "sync_ms": latency}})
    assert bool(said) == warns
    assert not said or ("SD card" in said[0] and "85 ms" in said[0])


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (V8, "rpi-v8"),
        (PI5, "rpi-2712"),
        ("6.1.0-rpi7-rpi-v8", "rpi-v8"),
        ("6.1.0-18-amd64", "amd64"),
        ("6.12.48+deb13-cloud-arm64", "cloud-arm64"),
        ("6.1.0-0.deb11.7-arm64", "arm64"),
        ("6.8.0-1004-raspi", "raspi"),
        ("6.6.31-v8+", "v8+"),
        ("5.10.0", ""),
    ],
)
def test_kernels_that_replace_each_other_share_a_flavour(release: str, expected: str) -> None:
    assert flavour(release) == expected


def test_the_newest_kernel_is_one_of_the_same_flavour() -> None:
    assert newest([V8_OLD, V8, PI5, "6.12.47+rpt-rpi-v6"], V8_OLD) == V8
    assert newest(["6.1.0-9-amd64", "6.1.0-18-amd64"], "6.1.0-9-amd64") == "6.1.0-18-amd64"
    assert newest([PI5], V8) == ""


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        pytest.param({}, [], id="in force"),
        pytest.param({"installed": [V8, PI5]}, [], id="another board's kernel is installed too"),
        pytest.param({"running": V8_OLD, "installed": [V8_OLD, V8]}, [f"kernel {V8} is installed"], id="upgraded"),
        pytest.param({"running": V8_OLD, "installed": [V8]}, ["is no longer installed"], id="replaced"),
        pytest.param({"installed": []}, [], id="a container, or a kernel from elsewhere"),
        pytest.param({"required_by": ["libc6", "linux-base"]}, ["libc6, linux-base"], id="an upgrade asks"),
        pytest.param({"required_by": []}, ["asked for a restart"], id="somebody asks"),
        pytest.param({"firmware_pending": True}, ["EEPROM"], id="firmware"),
    ],
)
def test_a_restart_is_due_for_what_is_installed_and_not_in_force(kernel: dict[str, Any], words: list[str]) -> None:
    reasons = reboot_reasons({**KERNEL, **kernel})
    assert len(reasons) == len(words)
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))


def test_a_kernel_that_never_reached_the_boot_partition_is_named() -> None:
    assert boot_problem(KERNEL) == ""
    assert boot_problem({**KERNEL, "boot_copy_is_newest": None}) == ""
    problem = boot_problem({**KERNEL, "boot_copy_is_newest": False})
    assert "kernel8.img" in problem
    assert f"linux-image-{V8}" in problem
