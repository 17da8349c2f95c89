# SPDX-License-Identifier: GPL-3.0-or-later
"""A Raspberry Pi read from files as the boards have them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._host.board import describe_board
from ansible_collections.hearth.cluster.plugins.module_utils._host.kernels import kernel_state
from ansible_collections.hearth.cluster.plugins.module_utils._host.paths import Tree
from ansible_collections.hearth.cluster.plugins.module_utils._pi.settings import FIREWALL
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import answering, tree, unit

PI5 = {
    "/proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "/proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
}
V8 = "6.12.47+rpt-rpi-v8"


def described(
    root: Path, files: dict[str, str], answers: dict[str, str] | None = None, **options: Any
) -> dict[str, Any]:
    usual = {"eeprom": False, "measure": False}
    return describe_board(
        tree(root, files), answering({"systemctl show": "", **(answers or {})}), **{**usual, **options}
    )


def mounted(root: Path, number: str, disk: str, partition: str, below: str, options: str = "rw,noatime") -> None:
    """A root file system on a partition, as /proc and /sys show it."""
    device = root / "sys/devices" / below / disk / partition
    device.mkdir(parents=True)
    (device / "partition").write_text("2\n")
    link = root / "sys/dev/block" / number
    link.parent.mkdir(parents=True)
    link.symlink_to(Path("../../devices") / below / disk / partition)
    tree(root, {"/proc/self/mountinfo": f"25 1 {number} / / {options} shared:1 - ext4 /dev/{partition} rw\n"})


def test_another_machine_has_no_board(tmp_path: Path) -> None:
    assert described(tmp_path, {"/proc/device-tree/model": "ASUS Tinker Board\0"}) == {}
    assert described(tmp_path / "pc", {}) == {}


@pytest.mark.parametrize("place", ["/proc/device-tree", "/sys/firmware/devicetree/base"])
def test_a_board_is_known_by_its_device_tree(tmp_path: Path, place: str) -> None:
    files = {name.replace("/proc/device-tree", place): text for name, text in PI5.items()}
    seen = described(tmp_path, files)
    assert (seen["model"], seen["family"]) == ("Raspberry Pi 5 Model B Rev 1.0", "pi5")


@pytest.mark.parametrize(
    ("number", "disk", "partition", "below", "card", "kind"),
    [
        ("179:2", "mmcblk0", "mmcblk0p2", "platform/soc/mmc_host/mmc0/mmc0:aaaa/block", "SD\n", "sd"),
        ("179:2", "mmcblk0", "mmcblk0p2", "platform/soc/mmc_host/mmc0/mmc0:0001/block", "MMC\n", "emmc"),
        ("259:2", "nvme0n1", "nvme0n1p2", "platform/axi/pci0000:00/nvme/nvme0", "", "nvme"),
        ("8:2", "sda", "sda2", "platform/axi/xhci-hcd.0/usb2/2-1/host0/block", "", "usb"),
        ("8:2", "sda", "sda2", "pci0000:00/0000:00:17.0/ata1/host0/block", "", "other"),
    ],
)
def test_the_medium_is_what_the_root_file_system_lies_on(
    tmp_path: Path, number: str, disk: str, partition: str, below: str, card: str, kind: str
) -> None:
    mounted(tmp_path, number, disk, partition, below)
    seen = described(
        tmp_path,
        {
            **PI5,
            f"/sys/block/{disk}/device/type": card,
            f"/sys/block/{disk}/device/life_time": "0x02 0x09\n",
            f"/sys/fs/ext4/{partition}/errors_count": "4\n",
        },
    )
    assert (seen["medium"]["kind"], seen["medium"]["device"]) == (kind, disk)
    assert seen["health"]["file_system_errors"] == 4
    assert seen["health"]["life_used"] == "0x09"
    assert "noatime" in seen["root_options"]
    assert not seen["health"]["read_only"]


def test_a_root_without_a_disk_is_some_medium(tmp_path: Path) -> None:
    line = "25 1 0:40 / / rw,relatime shared:1 - overlay overlay rw\n"
    seen = described(tmp_path, {**PI5, "/proc/self/mountinfo": line})
    assert seen["medium"] == {"kind": "other", "device": "", "sync_ms": None}
    assert seen["health"]["file_system_errors"] == 0


def test_the_disk_is_measured_until_the_machine_is_a_node(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    latency = described(tmp_path, PI5, measure=True)["medium"]["sync_ms"]
    assert latency is not None
    assert 0 < latency < 60_000
    assert list((tmp_path / "var/lib").iterdir()) == [], "nothing is left"
    node = {**PI5, "/etc/rancher/node/password": "x"}
    assert described(tmp_path, node, measure=True)["medium"]["sync_ms"] is None


def test_sensors_and_watchdog_are_read(tmp_path: Path) -> None:
    files = {
        **PI5,
        "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "/sys/class/thermal/thermal_zone0/temp": "61350\n",
        "/sys/class/watchdog/watchdog0/max_timeout": "15\n",
    }
    seen = described(tmp_path, files, {"systemctl show": "1min 30s\n"})
    assert (seen["health"]["throttled"], seen["health"]["temperature"]) == (0x50005, 61.35)
    assert seen["watchdog"] == {"present": True, "longest": 15, "running": 90}
    assert described(tmp_path, {}, {"systemctl show": "0\n"})["watchdog"]["running"] == 0
    assert described(tmp_path, {}, {"systemctl show": "infinity\n"})["watchdog"]["running"] == 0


def test_journald_is_outdated_when_its_settings_are_newer_also_where_a_file_was_taken_away(tmp_path: Path) -> None:
    settings = tmp_path / "etc/systemd/journald.conf.d"
    file = settings / "99-hearth.conf"
    began = time.monotonic() - 60
    answer = {"systemctl show": unit("systemd-journald.service", ExecMainStartTimestampMonotonic=str(int(began * 1e6)))}

    def outdated() -> bool:
        return bool(described(tmp_path, PI5, answer)["journal_outdated"])

    assert not outdated(), "it has no settings"
    tree(tmp_path, {"/etc/systemd/journald.conf.d/99-hearth.conf": "[Journal]\n"})
    assert outdated()
    before = time.time() - 120
    os.utime(settings, (before, before))
    assert not outdated()
    file.unlink()
    assert outdated()


def test_who_may_log_in_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    files = {
        **PI5,
        "/etc/ssh/sshd_config": "# comment\nInclude /etc/ssh/sshd_config.d/*.conf\n",
        "/root/.ssh/authorized_keys": "# nobody yet\n\n",
    }
    seen = described(tmp_path, files)["ssh"]
    assert seen == {"user": "root", "keys": False, "includes": True, "drop_in": "", "on_trial": False}
    key = {"/root/.ssh/authorized_keys": "ssh-ed25519 AAAA me\n", "/etc/ssh/sshd_config": "Port 22\n"}
    seen = described(tmp_path, key)["ssh"]
    assert (seen["keys"], seen["includes"]) == (True, False)


@pytest.mark.parametrize("kind", ["timer", "service"])
def test_rules_for_ssh_are_on_trial_while_the_machine_may_take_them_back(tmp_path: Path, kind: str) -> None:
    names = ("hearth-firewall.service", f"hearth-ssh-way-back.{kind}")
    shown = "\n\n".join(unit(name) for name in names)
    assert described(tmp_path, PI5, {"systemctl show": shown})["ssh"]["on_trial"]
    over = unit(names[1], ActiveState="inactive", LoadState="not-found")
    assert not described(tmp_path, PI5, {"systemctl show": over})["ssh"]["on_trial"]


def test_the_uplink_has_the_best_default_route(tmp_path: Path) -> None:
    rows = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\n"
        "cni0\t0000002A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
    )
    assert described(tmp_path, {**PI5, "/proc/net/route": rows})["uplink"] == "eth0"
    assert described(tmp_path / "other", PI5)["uplink"] == ""


def test_the_firewall_is_on_if_its_unit_is_and_its_rules_are_where_the_plan_writes_them(tmp_path: Path) -> None:
    files = {**PI5, FIREWALL: "table inet hearth {}\n"}
    up = described(tmp_path, files, {"systemctl show": unit("hearth-firewall.service")})["firewall"]
    assert up == {"active": True, "rules": "table inet hearth {}\n"}
    assert not described(tmp_path, files)["firewall"]["active"]


def kernels(root: Path, files: dict[str, str], running: str = V8, container: bool = False) -> dict[str, Any]:
    return kernel_state(tree(root, files), running, container)


def test_kernels_count_when_they_are_complete(tmp_path: Path) -> None:
    files = {f"/lib/modules/{V8}/modules.dep": "", "/lib/modules/6.12.50+rpt-rpi-v8/kernel/x": ""}
    assert kernels(tmp_path, files)["installed"] == [V8]
    assert kernels(tmp_path, {}, container=True)["installed"] == []


def test_the_kernel_of_the_boot_partition_is_compared(tmp_path: Path) -> None:
    files = {
        f"/lib/modules/{V8}/modules.dep": "",
        f"/boot/vmlinuz-{V8}": "the new kernel",
        "/boot/firmware/kernel8.img": "the old kernel",
    }
    assert kernels(tmp_path, files)["boot_copy_is_newest"] is False
    assert kernels(tmp_path, {"/boot/firmware/kernel8.img": "the new kernel"})["boot_copy_is_newest"] is True
    assert kernels(tmp_path, {}, running="6.12.1-amd64")["boot_copy_is_newest"] is None
    assert kernel_state(Tree(tmp_path / "empty"), V8, container=False)["boot_copy_is_newest"] is None


def test_what_waits_for_a_restart_is_seen(tmp_path: Path) -> None:
    assert kernels(tmp_path, {})["required_by"] is None
    files = {
        "/run/reboot-required": "",
        "/run/reboot-required.pkgs": "libc6\nlibc6\n",
        "/boot/firmware/pieeprom.upd": "",
    }
    state = kernels(tmp_path, files)
    assert (state["required_by"], state["firmware_pending"]) == (["libc6"], True)
