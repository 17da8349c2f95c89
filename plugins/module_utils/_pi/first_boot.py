# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the boot partition must hold so that a fresh card comes up as a given host.

Two kinds of image are known: those with cloud-init, which reads NoCloud files from the partition, and those for which
the kernel's command line has systemd run a script. The first are those of Raspberry Pi OS trixie but for its very first
one, which is of the second kind as all of bookworm are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from enum import Enum
from typing import Any

from .._errors import InputError
from .command_line import CommandLine, Wanted, parse
from .first_run import ARGUMENTS, SCRIPT, script
from .host_image import HostImage, StaticAddress, Wifi
from .seed_text import AUTHOR, masked, yaml_text

_CUSTOM = "custom.toml"
_BEFORE_FIRST_BOOT = (
    "init=/usr/lib/raspberrypi-sys-mods/firstboot",  # bookworm
    "resize",  # the first image of trixie
    f"systemd.run={ARGUMENTS['systemd.run']}",  # prepared, and not yet there
)


class ImageKind(Enum):
    CLOUD_INIT = "cloud-init"
    FIRST_RUN = SCRIPT


def recognise(names: Collection[str], command_line: str | None) -> ImageKind:
    """Tell the kind of image from its boot partition."""
    if command_line is None:
        raise InputError("This is not the boot partition of a Raspberry Pi: it has no cmdline.txt.")
    if {"user-data", "meta-data"} <= set(names):
        return ImageKind.CLOUD_INIT
    # Raspberry Pi OS before bookworm has no initramfs, and its boot partition is at another place.
    if any(name.startswith("initramfs") for name in names) and _waits_for_its_first_boot(parse(command_line)):
        if _CUSTOM in names:
            raise InputError(f"The boot partition has a {_CUSTOM}, which would have a say as well; delete it.")
        return ImageKind.FIRST_RUN
    raise InputError(
        "The kind of image is unknown: it has neither cloud-init's user-data and meta-data, as Raspberry Pi OS trixie "
        "has, nor an initramfs and a cmdline.txt that waits for the first boot, as bookworm has until then; write the "
        "card anew."
    )


def _waits_for_its_first_boot(line: CommandLine) -> bool:
    return any(argument.is_named(name) for argument in line.arguments for name in _BEFORE_FIRST_BOOT)


def seed_files(kind: ImageKind, host: HostImage) -> dict[str, str]:
    """Name and text of each file of the first boot."""
    if kind is ImageKind.FIRST_RUN:
        return {SCRIPT: script(host)}
    return {
        "user-data": _user_data(host),
        "network-config": _network_config(host),
        "meta-data": f"{AUTHOR}\n" + yaml_text({"dsmode": "local", "instance-id": instance_id(host)}),
    }


def kernel_arguments(kind: ImageKind, host: HostImage) -> dict[str, Wanted]:
    # Without ds cloud-init looks for its data source anew at every boot.
    cloud_init = {"ds": f"nocloud;i={instance_id(host)}"}
    wanted: dict[str, Wanted] = {**(cloud_init if kind is ImageKind.CLOUD_INIT else ARGUMENTS)}
    if host.wifi:
        wanted["cfg80211.ieee80211_regdom"] = host.wifi.country
    return wanted


def instance_id(host: HostImage) -> str:
    """The same for the same host and content, another when what is not secret changes: then cloud-init starts over."""
    if host.instance_id is not None:
        return host.instance_id
    content = masked(_user_data(host) + _network_config(host))
    return f"{host.hostname}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _user_data(host: HostImage) -> str:
    user: dict[str, Any] = {"name": host.user, "lock_passwd": host.password_hash is None}
    if host.password_hash is not None:
        user["hashed_passwd"] = host.password_hash
    user["sudo"] = "ALL=(ALL) NOPASSWD:ALL" if host.passwordless_sudo else None
    if host.ssh_keys:
        user["ssh_authorized_keys"] = list(host.ssh_keys)
    data: dict[str, Any] = {
        "hostname": host.hostname,
        "manage_etc_hosts": True,
        # 'user' changes the image's own user and keeps its groups, which an entry of 'users' would lose.
        "user": user,
        "ssh_pwauth": not host.ssh_keys,
    }
    if host.time_zone:
        data["timezone"] = host.time_zone
    if host.keyboard:
        data["keyboard"] = {"model": "pc105", "layout": host.keyboard}
    if host.host_keys:
        data["write_files"] = [
            file for key in host.host_keys for file in _host_key_files(key.kind, key.private, key.public)
        ]
    # The radio is off in Raspberry Pi OS until somebody switches it on, and so is the SSH server.
    radio = [["rfkill", "unblock", "wifi"], ["nmcli", "radio", "wifi", "on"]] if host.wifi else []
    data["runcmd"] = [*radio, ["systemctl", "enable", "ssh"], ["systemctl", "restart", "ssh"]]
    return f"#cloud-config\n{AUTHOR}\n" + yaml_text(data)


def _host_key_files(kind: str, private: str, public: str) -> list[dict[str, Any]]:
    """Late, because the image makes host keys of its own at its first boot."""
    path = f"/etc/ssh/ssh_host_{kind}_key"
    return [
        {"path": path, "permissions": "0600", "defer": True, "content": private},
        {"path": f"{path}.pub", "permissions": "0644", "defer": True, "content": public},
    ]


def _network_config(host: HostImage) -> str:
    network: dict[str, Any] = {"version": 2, "ethernets": {"eth0": _link(host, "eth0")}}
    if host.wifi and host.wifi.name is not None:
        network["wifis"] = {
            "wlan0": {
                **_link(host, "wlan0"),
                "regulatory-domain": host.wifi.country,
                "access-points": {host.wifi.name: _access_point(host.wifi)},
            }
        }
    return f"{AUTHOR}\n" + yaml_text({"network": network})


def _link(host: HostImage, device: str) -> dict[str, Any]:
    if host.address is None or host.device != device:
        return {"dhcp4": True, "optional": True}
    link: dict[str, Any] = {"dhcp4": False, "addresses": [str(host.address.interface)]}
    if host.address.gateway is not None:
        link["routes"] = [{"to": "default", "via": str(host.address.gateway)}]
    names = _nameservers(host.address)
    return {**link, "nameservers": names} if names else link


def _nameservers(address: StaticAddress) -> dict[str, list[str]]:
    parts = {"addresses": list(address.nameservers), "search": list(address.search)}
    return {key: value for key, value in parts.items() if value}


def _access_point(wifi: Wifi) -> dict[str, Any]:
    point: dict[str, Any] = {}
    if wifi.key is not None:
        point["password"] = wifi.key
    if wifi.hidden:
        point["hidden"] = True
    return point
