# SPDX-License-Identifier: GPL-3.0-or-later
"""A host is refused with one clear sentence for whatever would keep its card from coming up."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.host_image import host_image, refuse_duplicates
from ansible_collections.hearth.cluster.plugins.module_utils._pi.ssh_keys import check_public_key, read_host_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f operator"
HASH = "$6$saltsalt$" + "a1./" * 21
STATIC = {"address": "192.168.1.11/24", "gateway": "192.168.1.1", "nameservers": [], "search": [], "wifi": False}
WIFI = {"country": "DE", "name": "home", "password": "correct horse", "hidden": False}
DEFAULTS: dict[str, Any] = {
    "hostname": "pi1",
    "user": "pi",
    "ssh_keys": [KEY],
    "password_hash": None,
    "passwordless_sudo": True,
    "address": None,
    "wifi": None,
    "time_zone": None,
    "keyboard": None,
    "host_keys": [],
    "instance_id": None,
}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *(
            ({"hostname": name}, "is not a host name")
            for name in ("", "-pi", "pi-", "Pi1", "pi_1", "pi.lan", "a" * 64, "pi\n")
        ),
        *(({"user": name}, "cannot be the user") for name in ("", "root", "Pi", "1pi", "p i", "a" * 33)),
        ({"ssh_keys": ["ssh-ed25519"]}, "is not an SSH public key"),
        ({"ssh_keys": ["hello world"]}, "is not an SSH public key"),
        ({"ssh_keys": ["~/.ssh/id_ed25519.pub"]}, "is not an SSH public key"),
        ({"ssh_keys": [f"{KEY}\n{KEY}"]}, "is not an SSH public key"),
        ({"ssh_keys": [KEY.replace("AAAA", "!!!!")]}, "not base64"),
        ({"ssh_keys": [" ".join((KEY.split(maxsplit=1)[0], KEY[12:24]))]}, "cut off"),
        ({"ssh_keys": [KEY.replace("ssh-ed25519", "ssh-rsa")]}, "another type"),
        ({"ssh_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "is a private key"),
        ({"ssh_keys": [KEY, KEY]}, "given twice"),
        ({"ssh_keys": [KEY + "\x1b[0m"]}, "control character"),
        ({"ssh_keys": []}, "Nobody could log in"),
        ({"password_hash": "secret"}, "is not one"),
        ({"password_hash": "$1$salt$tooold"}, "is not one"),
        ({"passwordless_sudo": False}, "could never use sudo"),
        ({"address": {**STATIC, "address": "192.168.1.11"}}, "lacks the length"),
        ({"address": {**STATIC, "address": "192.168.1.300/24"}}, "is not an address"),
        ({"address": {**STATIC, "address": "192.168.1.0/24"}}, "first or last address"),
        ({"address": {**STATIC, "address": "192.168.1.255/24"}}, "first or last address"),
        ({"address": {**STATIC, "gateway": "192.168.2.1"}}, "cannot be reached"),
        ({"address": {**STATIC, "gateway": "192.168.1.11"}}, "cannot be reached"),
        ({"address": {**STATIC, "gateway": "fritz.box"}}, "is not an IP address"),
        ({"address": {**STATIC, "nameservers": ["dns"]}}, "is not an IP address"),
        ({"address": {**STATIC, "search": ["-"]}}, "is not a domain"),
        ({"address": {**STATIC, "wifi": True}}, "no Wi-Fi network is given"),
        ({"wifi": {**WIFI, "country": None}}, "needs its country"),
        ({"wifi": {**WIFI, "country": "de"}}, "two capital letters"),
        ({"wifi": {**WIFI, "country": "Germany"}}, "two capital letters"),
        ({"wifi": {**WIFI, "name": None}}, "without the name"),
        ({"wifi": {**WIFI, "name": "ä" * 17}}, "1 to 32 bytes"),
        ({"wifi": {**WIFI, "name": "a\nb"}}, "1 to 32 bytes"),
        ({"wifi": {**WIFI, "password": "short"}}, "8 to 63"),
        ({"wifi": {**WIFI, "password": "x" * 64}}, "8 to 63"),
        ({"time_zone": "../etc/passwd"}, "is not a time zone"),
        ({"keyboard": "de; reboot"}, "is not a keyboard layout"),
        ({"instance_id": "a b"}, "cannot be an instance id"),
        ({"host_keys": ["ssh-ed25519 AAAA"]}, "private key in OpenSSH"),
    ],
)
def test_what_is_wrong_is_said(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        host_image({**DEFAULTS, **wrong})
    assert "\n" not in str(caught.value)
    assert "correct horse" not in str(caught.value)


def test_a_full_host_is_accepted() -> None:
    full = {"address": STATIC, "wifi": WIFI, "password_hash": HASH, "time_zone": "Europe/Berlin", "keyboard": "de"}
    host = host_image({**DEFAULTS, **full})
    assert str(host.address and host.address.interface) == "192.168.1.11/24"


def test_an_ipv6_address_is_as_good() -> None:
    host = host_image({**DEFAULTS, "address": {**STATIC, "address": "fd00::11/64", "gateway": "fd00::1"}})
    assert str(host.address and host.address.gateway) == "fd00::1"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"hostname": "pi1"}, "is called 'pi1' as well"),
        ({"hostname": "pi2", "address": "192.168.1.11"}, "'pi2' of the inventory has the address 192.168.1.11"),
        ({"hostname": "pi2", "address": "192.168.1.11/24"}, "'pi2' of the inventory has the address"),
        ({"hostname": "pi2", "address": "nowhere"}, "is not an IP address"),
    ],
)
def test_no_two_hosts_share_a_name_or_an_address(other: dict[str, Any], message: str) -> None:
    host = host_image({**DEFAULTS, "address": STATIC})
    refuse_duplicates(host, [{"hostname": "pi3", "address": None}, {"hostname": "pi4", "address": "192.168.1.14"}])
    with pytest.raises(InputError, match=message):
        refuse_duplicates(host, [other])


def generated(folder: Path, *options: str) -> tuple[str, str]:
    subprocess.run(["ssh-keygen", "-q", "-f", str(folder / "key"), "-C", "", *options], check=True)
    return (folder / "key").read_text(), (folder / "key.pub").read_text()


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "384")])
def test_keys_that_ssh_keygen_made_are_read(tmp_path: Path, kind: str, bits: str) -> None:
    private, public = generated(tmp_path, "-N", "", "-t", kind, "-b", bits)
    check_public_key(public)
    key = read_host_key(private)
    assert (key.kind, key.private, key.public.strip()) == (kind, private, public.strip())


def test_a_host_key_with_a_passphrase_is_refused(tmp_path: Path) -> None:
    private, _public = generated(tmp_path, "-N", "secret", "-t", "ed25519")
    with pytest.raises(InputError, match="must not have a passphrase"):
        read_host_key(private)


def test_a_host_key_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    lines = private.splitlines()
    with pytest.raises(InputError, match="cut off"):
        read_host_key("\n".join((lines[0], lines[1][:40], lines[-1])))
    with pytest.raises(InputError, match="OpenSSH's own format"):
        read_host_key(private[:100])


def test_two_host_keys_of_one_kind_are_refused(tmp_path: Path) -> None:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    with pytest.raises(InputError, match="of the kind ed25519"):
        host_image({**DEFAULTS, "host_keys": [private, private]})
