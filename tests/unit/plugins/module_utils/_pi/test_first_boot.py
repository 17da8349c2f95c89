# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a first boot, read back by readers that we did not write."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.command_line import parse, with_arguments
from ansible_collections.hearth.cluster.plugins.module_utils._pi.first_boot import (
    ImageKind,
    instance_id,
    kernel_arguments,
    recognise,
    seed_files,
)
from ansible_collections.hearth.cluster.plugins.module_utils._pi.host_image import HostImage, host_image
from ansible_collections.hearth.cluster.plugins.module_utils._pi.seed_text import masked, yaml_text
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_host_image import (
    DEFAULTS,
    HASH,
    KEY,
    STATIC,
    WIFI,
    generated,
)
from hypothesis import given
from hypothesis import strategies as st

CLOUD, SCRIPT = ImageKind.CLOUD_INIT, ImageKind.FIRST_RUN
FIRSTBOOT = "console=tty1 root=x quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n"
PARTITION = ["cmdline.txt", "config.txt", "initramfs8", "kernel8.img"]
# RFC-known value: the key that IEEE 802.11i gives for this name and password.
KNOWN = {"country": "US", "name": "IEEE", "password": "password", "hidden": True}
KNOWN_KEY = "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"


def host(**changes: Any) -> HostImage:
    return host_image({**DEFAULTS, **changes})


def seed(name: str, **changes: Any) -> Any:
    return yaml.safe_load(seed_files(CLOUD, host(**changes))[name])


def script(**changes: Any) -> str:
    return seed_files(SCRIPT, host(**changes))["firstrun.sh"]


@pytest.mark.parametrize(
    ("names", "line", "kind"),
    [
        pytest.param([*PARTITION, "user-data", "meta-data"], "root=x resize\n", CLOUD, id="trixie"),
        pytest.param(PARTITION, "root=x resize\n", SCRIPT, id="first trixie image"),
        pytest.param(PARTITION, FIRSTBOOT, SCRIPT, id="bookworm"),
        pytest.param(PARTITION, "root=x systemd.run=/boot/firmware/firstrun.sh\n", SCRIPT, id="prepared"),
    ],
)
def test_known_images_are_recognised(names: list[str], line: str, kind: ImageKind) -> None:
    assert recognise(names, line) is kind


@pytest.mark.parametrize(
    ("names", "line", "message"),
    [
        pytest.param(["cmdline.txt", "kernel8.img"], FIRSTBOOT, "kind of image is unknown", id="bullseye"),
        pytest.param(PARTITION, "root=x init=/sbin/init\n", "kind of image is unknown", id="bookworm that has booted"),
        pytest.param([*PARTITION, "custom.toml"], FIRSTBOOT, "has a custom.toml", id="another's wishes"),
        pytest.param(["EFI"], None, "no cmdline.txt", id="another machine's partition"),
    ],
)
def test_unknown_images_are_refused(names: list[str], line: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recognise(names, line)


def test_the_user_data_of_a_plain_host() -> None:
    text = seed_files(CLOUD, host())["user-data"]
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text) == {
        "hostname": "pi1",
        "manage_etc_hosts": True,
        "user": {
            "name": "pi",
            "lock_passwd": True,
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "ssh_authorized_keys": [KEY],
        },
        "ssh_pwauth": False,
        "runcmd": [["systemctl", "enable", "ssh"], ["systemctl", "restart", "ssh"]],
    }


def test_the_user_data_of_a_host_with_a_password() -> None:
    data = seed(
        "user-data",
        ssh_keys=[],
        password_hash=HASH,
        passwordless_sudo=False,
        time_zone="Asia/Tokyo",
        keyboard="jp",
    )
    assert data["user"] == {"name": "pi", "lock_passwd": False, "hashed_passwd": HASH, "sudo": None}
    assert data["ssh_pwauth"] is True
    assert (data["timezone"], data["keyboard"]) == ("Asia/Tokyo", {"model": "pc105", "layout": "jp"})


def test_pinned_host_keys_are_written_late_and_privately(tmp_path: Path) -> None:
    private, public = generated(tmp_path, "-N", "", "-t", "ed25519")
    files = seed("user-data", host_keys=[private])["write_files"]
    path = "/etc/ssh/ssh_host_ed25519_key"
    assert files[0] == {"path": path, "permissions": "0600", "defer": True, "content": private}
    assert files[1]["content"].split() == public.split()


def test_the_radio_is_switched_on_for_wifi() -> None:
    commands = seed("user-data", wifi=WIFI)["runcmd"]
    assert commands[:2] == [["rfkill", "unblock", "wifi"], ["nmcli", "radio", "wifi", "on"]]


def test_the_network_of_a_host() -> None:
    dhcp = {"dhcp4": True, "optional": True}
    assert seed("network-config") == {"network": {"version": 2, "ethernets": {"eth0": dhcp}}}
    static = {
        "dhcp4": False,
        "addresses": ["192.168.1.11/24"],
        "routes": [{"to": "default", "via": "192.168.1.1"}],
        "nameservers": {"addresses": ["9.9.9.9"], "search": ["lan"]},
    }
    address = {**STATIC, "nameservers": ["9.9.9.9"], "search": ["lan"]}
    assert seed("network-config", address=address)["network"]["ethernets"] == {"eth0": static}
    network = seed("network-config", address={**address, "wifi": True}, wifi=KNOWN)["network"]
    assert network["ethernets"] == {"eth0": dhcp}
    points = {"IEEE": {"password": KNOWN_KEY, "hidden": True}}
    assert network["wifis"] == {"wlan0": {**static, "regulatory-domain": "US", "access-points": points}}


def test_an_open_network_and_a_given_key() -> None:
    points = seed("network-config", wifi={**WIFI, "password": None})["network"]["wifis"]["wlan0"]["access-points"]
    assert points == {"home": {}}
    points = seed("network-config", wifi={**WIFI, "password": "AB" * 32})["network"]["wifis"]["wlan0"]["access-points"]
    assert points["home"]["password"] == "ab" * 32


def test_the_instance_is_this_host_in_this_form() -> None:
    one, other = host(), host(time_zone="Asia/Tokyo")
    assert instance_id(one) == instance_id(host()) != instance_id(other)
    assert instance_id(one).startswith("pi1-")
    assert instance_id(replace(one, instance_id="mine")) == "mine"
    assert seed("meta-data") == {"dsmode": "local", "instance-id": instance_id(one)}
    assert kernel_arguments(CLOUD, one) == {"ds": f"nocloud;i={instance_id(one)}"}


def test_the_instance_says_nothing_of_secrets() -> None:
    first = host(wifi=WIFI, password_hash=HASH)
    second = host(wifi={**WIFI, "password": "another one"}, password_hash=HASH.replace("a1", "b2"))
    assert instance_id(first) == instance_id(second)


def test_the_country_reaches_the_kernel_even_without_a_network() -> None:
    country = {"country": "DE", "name": None, "password": None, "hidden": False}
    for kind in ImageKind:
        assert kernel_arguments(kind, host(wifi=country))["cfg80211.ieee80211_regdom"] == "DE"
    assert "wifis" not in seed("network-config", wifi=country)["network"]
    assert "wlan0.nmconnection" not in script(wifi=country)


FULL: dict[str, Any] = {
    "user": "ann",
    "password_hash": HASH,
    "passwordless_sudo": False,
    "address": {**STATIC, "nameservers": ["9.9.9.9", "fd00::1"], "search": ["lan"]},
    "wifi": {**KNOWN, "name": "a;b 'c' ä"},
    "time_zone": "Asia/Tokyo",
    "keyboard": "jp",
}


@pytest.mark.parametrize("changes", [{}, FULL, {"ssh_keys": [], "password_hash": HASH}], ids=["plain", "full", "word"])
def test_a_shell_finds_nothing_wrong_with_the_script(tmp_path: Path, changes: dict[str, Any]) -> None:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    file = tmp_path / "firstrun.sh"
    file.write_text(script(**changes, host_keys=[private]))
    subprocess.run(["sh", "-n", str(file)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--severity=warning", str(file)], check=True)


def connection(text: str, device: str) -> dict[str, dict[str, str]]:
    """The file of NetworkManager that a script writes for a device."""
    _before, _path, after = text.partition(f"/{device}.nmconnection <<'END'\n")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(after.partition("\nEND\n")[0])
    return {name: dict(parser[name]) for name in parser.sections()}


def test_the_script_gives_the_cable_its_address() -> None:
    cable = connection(script(**FULL), "eth0")
    assert cable["connection"] == {"id": "eth0", "type": "ethernet", "interface-name": "eth0"}
    address = "192.168.1.11/24,192.168.1.1"
    assert cable["ipv4"] == {"method": "manual", "address1": address, "dns": "9.9.9.9;", "dns-search": "lan;"}
    assert cable["ipv6"] == {"method": "auto", "dns": "fd00::1;"}
    sixth = {**STATIC, "address": "fd00::11/64", "gateway": None, "nameservers": ["fd00::1"]}
    assert connection(script(address=sixth), "eth0")["ipv6"] == {
        "method": "manual",
        "address1": "fd00::11/64",
        "dns": "fd00::1;",
    }
    assert "nmconnection" not in script()


def test_the_script_joins_the_wifi() -> None:
    wifi = connection(script(wifi=KNOWN, address={**STATIC, "wifi": True}), "wlan0")
    assert wifi["wifi"] == {"mode": "infrastructure", "ssid": "73;69;69;69;", "hidden": "true"}
    assert wifi["wifi-security"] == {"key-mgmt": "wpa-psk", "psk": KNOWN_KEY}
    assert wifi["ipv4"]["method"] == "manual"
    free = connection(script(wifi={**KNOWN, "password": None}), "wlan0")
    assert ("wifi-security" in free, free["ipv4"]) == (False, {"method": "auto"})
    name = connection(script(**FULL), "wlan0")["wifi"]["ssid"]
    assert bytes(int(number) for number in name.split(";") if number).decode() == FULL["wifi"]["name"]


def test_the_kernel_runs_the_script_and_the_script_takes_itself_away() -> None:
    wanted = kernel_arguments(SCRIPT, host())
    assert list(wanted) == ["systemd.run", "systemd.run_success_action", "systemd.unit"]
    before = parse("root=x rootwait\n")
    prepared = with_arguments(before, wanted).render()
    (edit,) = (line for line in script().splitlines() if line.startswith("sed") and "cmdline.txt" in line)
    program = edit.partition(" cmdline.txt")[0]
    done = subprocess.run(["sh", "-c", program], input=prepared, check=True, capture_output=True, text=True)
    assert done.stdout == before.render()


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    secrets = [HASH, KNOWN_KEY, KNOWN["password"], *private.splitlines()[1:-1]]
    texts = [
        *seed_files(CLOUD, host(wifi=KNOWN, password_hash=HASH, host_keys=[private])).values(),
        script(wifi=KNOWN, password_hash=HASH, host_keys=[private]),
    ]
    shown = "".join(masked(text) for text in texts)
    assert [secret for secret in secrets[:2] if not any(str(secret) in text for text in texts)] == []
    # the word itself is the name of an option
    assert [secret for secret in secrets if str(secret) in shown and secret != "password"] == []
    assert shown.count("(hidden)") == 6


printable = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co")), max_size=20)
leaves = st.one_of(
    printable, st.booleans(), st.integers(), st.sampled_from(["on", "null", "0x1", "1:30", "- a", "# b", "a: b", "~"])
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(printable, inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(printable, trees, max_size=4))
def test_any_tree_is_read_back_from_yaml(tree: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_text(tree)) == tree
