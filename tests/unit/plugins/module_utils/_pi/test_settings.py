# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided about each kind of machine: boards, releases and media as rows of tables."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.board import family
from ansible_collections.hearth.cluster.plugins.module_utils._pi.boot_config import Request, Texts, plan
from ansible_collections.hearth.cluster.plugins.module_utils._pi.eeprom import with_boot_order
from ansible_collections.hearth.cluster.plugins.module_utils._pi.firewall import ruleset
from ansible_collections.hearth.cluster.plugins.module_utils._pi.settings import (
    FIREWALL,
    FIREWALL_UNIT,
    FSTAB,
    JOURNAL,
    LOGS,
    UPGRADES,
    WATCHDOG,
    plan_settings,
    settings_problems,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_config_txt import NEWER, STOCK

ROLE = Path(__file__).parents[5] / "roles/raspberry_pi"

# What the device trees of the boards say, chip last.
COMPATIBLE = {
    "Raspberry Pi Zero 2 W Rev 1.0": ("raspberrypi,model-zero-2-w", "brcm,bcm2837"),
    "Raspberry Pi 3 Model B Plus Rev 1.3": ("raspberrypi,3-model-b-plus", "brcm,bcm2837"),
    "Raspberry Pi 4 Model B Rev 1.5": ("raspberrypi,4-model-b", "brcm,bcm2711"),
    "Raspberry Pi 400 Rev 1.0": ("raspberrypi,400", "brcm,bcm2711"),
    "Raspberry Pi Compute Module 4 Rev 1.1": ("raspberrypi,4-compute-module", "brcm,bcm2711"),
    "Raspberry Pi 5 Model B Rev 1.0": ("raspberrypi,5-model-b", "brcm,bcm2712"),
    "Raspberry Pi Compute Module 5 Rev 1.0": ("raspberrypi,5-compute-module", "brcm,bcm2712"),
    "Raspberry Pi 6": ("raspberrypi,6-model-b", "brcm,bcm9999"),
    "ASUS Tinker Board": ("asus,rk3288-tinker", "rockchip,rk3288"),
    "": (),
}
WISHES: dict[str, Any] = {
    "memory_cgroup": True,
    "page_size": "",
    "disable": [],
    "command_line": {},
    "config": [],
    "swap": False,
    "watchdog": True,
    "journal": "auto",
    "noatime": True,
    "container_log_size": "10Mi",
    "container_log_files": 3,
    "unattended_upgrades": True,
    "ssh_hardening": False,
    "firewall": False,
    "firewall_trusted": [],
    "firewall_open": [],
    "eeprom_boot_order": "",
    "eeprom_update": False,
}
BOOKWORM_FSTAB = (
    "proc            /proc           proc    defaults          0       0\n"
    "PARTUUID=4e639091-01  /boot/firmware  vfat    defaults          0       2\n"
    "PARTUUID=4e639091-02  /               ext4    defaults,noatime  0       1\n"
)
CONFIG_OF = {"bookworm": STOCK, "trixie": NEWER}
LINE = "console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait\n"
KERNEL = {
    "running": "6.12.47+rpt-rpi-v8",
    "installed": ["6.12.47+rpt-rpi-v8"],
    "required_by": None,
    "firmware_pending": False,
    "boot_copy_is_newest": True,
}


def host(**other: Any) -> dict[str, Any]:
    return {"container": "", "fstab": BOOKWORM_FSTAB, "kernel_state": KERNEL, **other}


def board(kind: str = "pi4", medium: str = "sd", **other: Any) -> dict[str, Any]:
    health = {"throttled": 0, "temperature": 50.0, "file_system_errors": 0, "read_only": False, "life_used": ""}
    return {
        "model": "Raspberry Pi",
        "family": kind,
        "medium": {"kind": medium, "device": "mmcblk0", "sync_ms": None},
        "root_options": ["rw", "noatime"],
        "uplink": "eth0",
        "watchdog": {"present": True, "longest": 15, "running": 15},
        "journal_outdated": False,
        "health": health,
        "eeprom": {"config": "", "outdated": False},
        "ssh": {"user": "pi", "keys": True, "includes": True, "drop_in": "", "on_trial": False},
        "firewall": {"active": False, "rules": ""},
        **other,
    }


def planned(seen: dict[str, Any], machine: dict[str, Any] | None = None, **wishes: Any) -> dict[str, Any]:
    return plan_settings(machine or host(), seen, {**WISHES, **wishes})


def written(made: dict[str, Any]) -> dict[str, str]:
    """The files that shall be there."""
    return {file["path"]: file["content"] for file in made["files"] if file.get("state", "file") == "file"}


@pytest.mark.parametrize(
    ("model", "expected"),
    list(zip(COMPATIBLE, ("pi3", "pi3", "pi4", "pi4", "pi4", "pi5", "pi5", "unknown", "", ""), strict=True)),
)
def test_a_board_belongs_to_the_family_of_its_chip(model: str, expected: str) -> None:
    assert family(model, COMPATIBLE[model]) == expected


def test_a_machine_that_is_no_pi_is_left_alone() -> None:
    everything = {
        "disable": ["wifi", "leds"],
        "ssh_hardening": True,
        "firewall": True,
        "eeprom_boot_order": "0xf416",
        "eeprom_update": True,
        "page_size": "4k",
    }
    made = planned({}, **everything)
    assert not any(made.values())
    assert settings_problems({}, {**WISHES, **everything}) == []


def test_swap_leaves_the_table_of_file_systems_on_any_debian_machine() -> None:
    table = BOOKWORM_FSTAB + "UUID=1 none swap sw 0 0\n# UUID=2 none swap sw 0 0\n/dev/sdb1\t/data ext4 noauto 0 0\n"
    after = table.replace("UUID=1 none", "# UUID=1 none", 1)
    assert planned({}, host(fstab=table))["files"] == [{"path": FSTAB, "content": after}]
    assert planned({}, host(fstab=after))["files"] == []
    assert planned({}, host(fstab=table), swap=True)["files"] == []
    assert planned({}, host(fstab=table, container="systemd-nspawn"))["files"] == []


# For each board on each medium: where its journal is kept, the overlay that switches its Wi-Fi off, the kernel with
# pages of 4 KiB, and whether its EEPROM has a boot order. Nothing of it for a machine that is no Raspberry Pi.
BOARDS = [
    ("Raspberry Pi Zero 2 W Rev 1.0", "sd", "volatile", "disable-wifi", None, False),
    ("Raspberry Pi 3 Model B Plus Rev 1.3", "sd", "volatile", "disable-wifi", None, False),
    ("Raspberry Pi 3 Model B Plus Rev 1.3", "usb", "persistent", "disable-wifi", None, False),
    ("Raspberry Pi 4 Model B Rev 1.5", "sd", "volatile", "disable-wifi", None, True),
    ("Raspberry Pi 4 Model B Rev 1.5", "usb", "persistent", "disable-wifi", None, True),
    ("Raspberry Pi Compute Module 4 Rev 1.1", "emmc", "volatile", "disable-wifi", None, True),
    ("Raspberry Pi Compute Module 4 Rev 1.1", "nvme", "persistent", "disable-wifi", None, True),
    ("Raspberry Pi 5 Model B Rev 1.0", "sd", "volatile", "disable-wifi-pi5", "kernel8.img", True),
    ("Raspberry Pi 5 Model B Rev 1.0", "nvme", "persistent", "disable-wifi-pi5", "kernel8.img", True),
    ("Raspberry Pi Compute Module 5 Rev 1.0", "emmc", "volatile", "disable-wifi-pi5", "kernel8.img", True),
    ("Raspberry Pi Compute Module 5 Rev 1.0", "nvme", "persistent", "disable-wifi-pi5", "kernel8.img", True),
    ("ASUS Tinker Board", "sd", None, None, None, False),
    ("", "nvme", None, None, None, False),
]
EVERYTHING_OFF = ["wifi", "bluetooth", "audio", "hdmi", "leds"]


def boot_files(made: dict[str, Any], config: str) -> dict[str, str]:
    """The boot files that a plan asks for; asked for once more, they stay as they are."""
    request = Request.from_params(made["boot"].get("command_line"), made["boot"].get("config"))
    files = {file.name: file.after for file in plan(Texts(config, LINE), request).files}
    assert plan(Texts(files["config.txt"], files["cmdline.txt"]), request).changes == ()
    return files


@pytest.mark.parametrize("release", CONFIG_OF)
@pytest.mark.parametrize(("model", "medium", "storage", "overlay", "kernel", "order"), BOARDS)
def test_every_board_on_every_medium_gets_what_fits_it(
    model: str, medium: str, storage: str | None, overlay: str | None, kernel: str | None, order: bool, release: str
) -> None:
    kind = family(model, COMPATIBLE[model])
    seen = board(kind, medium, eeprom={"config": "BOOT_ORDER=0xf41\n", "outdated": False}) if kind else {}
    made = planned(seen, disable=EVERYTHING_OFF, page_size="4k", eeprom_boot_order="0xf416")
    files = boot_files(made, CONFIG_OF[release])
    config = files["config.txt"]
    words = " cgroup_enable=memory video=HDMI-A-1:d video=HDMI-A-2:d" if kind else ""
    assert files["cmdline.txt"] == LINE.replace("rootwait", f"rootwait{words}")
    for line in ("dtparam=audio=off", "dtparam=act_led_trigger=none", "dtparam=pwr_led_activelow=off"):
        assert (f"\n{line}\n" in config) == bool(kind)
    assert [word for word in ("disable-wifi", "disable-wifi-pi5") if f"\ndtoverlay={word}\n" in config] == (
        [overlay] if overlay else []
    )
    assert ("\nkernel=kernel8.img\n" in config) == (kernel is not None)
    assert (config == CONFIG_OF[release]) == (not kind)
    assert written(made).get(JOURNAL, "").partition("Storage=")[2].partition("\n")[0] == (storage or "")
    assert (made["eeprom"] == "BOOT_ORDER=0xf416\n") == order


def test_by_default_only_the_memory_is_accounted_for() -> None:
    boot = planned(board())["boot"]
    assert boot == {"command_line": {"present": {"cgroup_enable": ["memory"]}, "absent": []}, "config": []}


def test_the_operators_own_settings_have_the_last_word() -> None:
    own = [{"device_tree": {"audio": True}, "settings": {"gpu_mem": 16}}, {"filter": "cm5", "settings": {"a": 1}}]
    line = {"present": {"quiet": True}, "absent": ["splash"]}
    boot = planned(board("pi5"), disable=["audio"], config=own, command_line=line)["boot"]
    assert boot["config"][0]["device_tree"] == {"audio": True}
    assert [entry["filter"] for entry in boot["config"]] == ["all", "cm5"]
    assert boot["command_line"]["present"] == {"cgroup_enable": ["memory"], "quiet": True}
    assert boot["command_line"]["absent"] == ["splash"]


@pytest.mark.parametrize(
    ("medium", "wish", "storage"),
    [
        ("sd", "auto", "volatile"),
        ("emmc", "auto", "volatile"),
        ("usb", "auto", "persistent"),
        ("nvme", "auto", "persistent"),
        ("other", "auto", None),
        ("sd", "persistent", "persistent"),
        ("nvme", "volatile", "volatile"),
        ("sd", "unmanaged", None),
    ],
)
def test_the_journal_goes_by_the_medium(medium: str, wish: str, storage: str | None) -> None:
    made = planned(board(medium=medium, journal_outdated=True), journal=wish)
    text = written(made).get(JOURNAL)
    assert (f"Storage={storage}\n" in text) if text and storage else text is storage is None
    assert made["journal_outdated"] == bool(storage), "settings of others are theirs to bring into force"
    assert not planned(board(medium=medium), journal=wish)["journal_outdated"]


@pytest.mark.parametrize(
    ("watchdog", "container", "seconds", "sets"),
    [
        pytest.param({"present": True, "longest": 15, "running": 0}, "", "15", 15, id="off until now"),
        pytest.param({"present": True, "longest": 15, "running": 15}, "", "15", 0, id="in force"),
        pytest.param({"present": True, "longest": 0, "running": 0}, "", "60", 60, id="a driver that names no limit"),
        pytest.param({"present": True, "longest": 15, "running": 60}, "", "60", 0, id="never shortened"),
        pytest.param({"present": False, "longest": 0, "running": 0}, "", None, 0, id="no watchdog"),
        pytest.param({"present": True, "longest": 15, "running": 0}, "lxc", None, 0, id="a container"),
    ],
)
def test_the_watchdog_is_set_to_the_longest_time(
    watchdog: dict[str, Any], container: str, seconds: str | None, sets: int
) -> None:
    made = planned(board(watchdog=watchdog), host(container=container))
    assert made["watchdog"] == sets
    text = written(made).get(WATCHDOG, "")
    assert (f"RuntimeWatchdogSec={seconds}\n" in text) == (seconds is not None)
    assert planned(board(watchdog={**watchdog, "running": 0}), watchdog=False)["watchdog"] == 0


def test_access_times_are_given_up_where_nobody_decided() -> None:
    plain = BOOKWORM_FSTAB.replace("defaults,noatime", "defaults")
    made = planned(board(root_options=["rw", "relatime"]), host(fstab=plain))
    assert written(made)[FSTAB] == plain.replace("ext4    defaults", "ext4    defaults,noatime")
    assert made["remount"]
    assert not planned(board(root_options=["rw"]), host(container="lxc"))["remount"]
    decided = BOOKWORM_FSTAB.replace("noatime", "strictatime")
    assert FSTAB not in written(planned(board(), host(fstab=decided)))
    assert FSTAB not in written(planned(board(), host(fstab=plain), noatime=False))


def test_upgrades_come_from_raspberry_pi_too_and_never_restart() -> None:
    made = planned(board())
    text = written(made)[UPGRADES]
    assert '"origin=Raspberry Pi Foundation,codename=${distro_codename}";' in text
    assert 'Automatic-Reboot "false";' in text
    assert made["packages"] == ["unattended-upgrades"]
    off = planned(board(), unattended_upgrades=False)
    assert UPGRADES not in written(off)
    assert off["packages"] == []


def test_the_logs_of_containers_are_limited() -> None:
    text = written(planned(board()))[LOGS]
    assert "kubelet-arg+:\n  - container-log-max-size=10Mi\n  - container-log-max-files=3\n" in text
    assert LOGS not in written(planned(board(), container_log_size=""))


def test_ssh_is_hardened_once_and_only_where_a_key_is() -> None:
    rules = planned(board(), ssh_hardening=True)["ssh"]
    assert "PasswordAuthentication no\n" in rules
    there = {"user": "pi", "keys": True, "includes": True, "drop_in": rules, "on_trial": False}
    assert planned(board(ssh=there), ssh_hardening=True)["ssh"] == ""
    for lacking, word in (({"keys": False}, "lock pi out"), ({"includes": False}, "no effect")):
        (problem,) = settings_problems(board(ssh={**there, **lacking}), {**WISHES, "ssh_hardening": True})
        assert word in problem


def test_rules_that_a_killed_run_left_on_trial_are_tried_again() -> None:
    rules = planned(board(), ssh_hardening=True)["ssh"]
    left = {"user": "pi", "keys": True, "includes": True, "drop_in": rules, "on_trial": True}
    assert planned(board(ssh=left), ssh_hardening=True)["ssh"] == rules
    assert planned(board(ssh=left))["ssh"] == ""


def test_rules_for_ssh_that_are_no_longer_wanted_are_taken_back_until_their_file_is_gone() -> None:
    there = {"user": "pi", "keys": True, "includes": True, "drop_in": "# no rules any more\n", "on_trial": False}
    assert planned(board(ssh=there))["frees_ssh"]
    assert not planned(board(ssh=there), ssh_hardening=True)["frees_ssh"]
    assert not planned(board())["frees_ssh"]
    without, reload, last = yaml.safe_load((ROLE / "tasks/ssh_freed.yml").read_text())
    (left,) = without["hearth.cluster.files"]["files"]
    assert "state" not in left
    assert reload["ansible.builtin.systemd_service"]["state"] == "reloaded"
    assert last["hearth.cluster.files"]["files"] == [{"path": left["path"], "state": "absent"}]


def test_sshd_accepts_the_rules(tmp_path: Path) -> None:
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if not sshd:
        pytest.skip("sshd is not installed (package openssh-server)")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    file = tmp_path / "config"
    file.write_text(f"{planned(board(), ssh_hardening=True)['ssh']}HostKey {tmp_path / 'key'}\n")
    said = subprocess.run([sshd, "-T", "-f", str(file)], check=True, capture_output=True, text=True).stdout
    assert "\npasswordauthentication no\n" in said


def test_the_firewall_is_put_up_and_taken_down() -> None:
    wanted = {"firewall": True, "firewall_trusted": ["192.168.1.0/24"], "firewall_open": ["22/tcp"]}
    up = planned(board(), **wanted)
    assert {FIREWALL, FIREWALL_UNIT} <= set(written(up))
    assert (up["firewall"], up["firewall_rules"]) == ("on", "")
    is_up = {"active": True, "rules": written(up)[FIREWALL]}
    settled = planned(board(firewall=is_up), **wanted)
    assert (settled["firewall"], settled["firewall_rules"]) == ("", "")
    down = planned(board(firewall=is_up))
    assert (down["firewall"], FIREWALL in written(down)) == ("off", False)
    assert planned(board())["firewall"] == ""


def test_other_rules_are_told_to_a_firewall_that_is_up_before_they_are_written() -> None:
    wanted = {"firewall": True, "firewall_trusted": ["192.168.1.0/24"], "firewall_open": ["443/tcp"]}
    made = planned(board(firewall={"active": True, "rules": "table inet hearth {}\n"}), **wanted)
    assert made["firewall_rules"] == written(made)[FIREWALL]
    tasks = yaml.safe_load((ROLE / "tasks/settings.yml").read_text())
    told = next(place for place, task in enumerate(tasks) if "firewall_rules" in str(task.get("when")))
    assert told < next(place for place, task in enumerate(tasks) if "hearth.cluster.files" in task)


def test_the_radio_that_the_machine_is_reached_by_stays_on() -> None:
    wanted = {**WISHES, "disable": ["wifi", "bluetooth"]}
    assert settings_problems(board(), wanted) == []
    (problem,) = settings_problems(board(uplink="wlan0"), wanted)
    assert "(wlan0): connect the cable first" in problem


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"firewall": True}, "cut the nodes off"),
        ({"firewall": True, "firewall_trusted": ["nowhere"]}, "raspberry_pi_firewall_trusted"),
        ({"firewall": True, "firewall_trusted": ["10.0.0.0/8"], "firewall_open": ["http"]}, "'http' is not a port"),
        ({"firewall": True, "firewall_trusted": ["10.0.0.0/8"], "firewall_open": ["70000/tcp"]}, "is not a port"),
        ({"eeprom_boot_order": "NVMe"}, "'NVMe' is not a boot order"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_sentence(wish: dict[str, Any], word: str) -> None:
    (problem,) = settings_problems(board(), {**WISHES, **wish})
    assert word in problem


def test_nft_accepts_the_rules(tmp_path: Path) -> None:
    nft = shutil.which("nft", path="/usr/sbin:/usr/bin")
    if not nft:
        pytest.skip("nft is not installed (package nftables)")
    rules = ruleset(["192.168.1.11", "fd00::/64", "192.168.1.0/24"], ["443/tcp", "30000-32767/udp"])
    file = tmp_path / "rules"
    file.write_text(rules)
    checked = subprocess.run([nft, "--check", "--file", str(file)], capture_output=True, text=True, check=False)
    if "Operation not permitted" in checked.stderr:
        pytest.skip("only root may let nft check rules")
    assert checked.returncode == 0, checked.stderr
    assert "tcp dport 22 accept" in rules, "nobody is locked out"


def test_the_boot_order_is_changed_only_where_the_board_can_and_somebody_asked() -> None:
    config = "[all]\nBOOT_UART=0\nBOOT_ORDER=0xf41\n"
    eeprom = {"config": config, "outdated": True}
    seen = board("pi5", eeprom=eeprom)
    assert planned(seen, eeprom_boot_order="0xf416")["eeprom"] == "[all]\nBOOT_UART=0\nBOOT_ORDER=0xf416\n"
    assert planned(seen, eeprom_boot_order="0xf41")["eeprom"] == ""
    assert planned(board("pi3", eeprom=eeprom), eeprom_boot_order="0xf416")["eeprom"] == ""
    assert (planned(seen)["eeprom"], planned(seen)["eeprom_update"]) == ("", False)
    assert planned(seen, eeprom_update=True)["eeprom_update"]
    assert with_boot_order("BOOT_ORDER=0xF41", "0xf41") == "BOOT_ORDER=0xF41"
    assert with_boot_order("A=1", "0xf4") == "A=1\nBOOT_ORDER=0xf4\n"
    with pytest.raises(InputError):
        with_boot_order("", "f41")
