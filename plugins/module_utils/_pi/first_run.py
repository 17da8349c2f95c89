# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The script of a first boot, for images of Raspberry Pi OS without cloud-init.

systemd runs it as the only thing of that boot, because the kernel's command line says so, and restarts the machine when
it has ended well. It needs nothing that is not in every image, and may be run again from its beginning, which is what
follows a power cut: the last thing that it does is to take itself out of the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from .host_image import HostImage, StaticAddress, Wifi
from .seed_text import AUTHOR

SCRIPT = "firstrun.sh"
_BOOT = "/boot/firmware"
ARGUMENTS = {
    "systemd.run": f"{_BOOT}/{SCRIPT}",
    "systemd.run_success_action": "reboot",
    "systemd.unit": "kernel-command-line.target",
}
_SSHD = "/etc/ssh/sshd_config.d/50-first-boot.conf"
_CONNECTIONS = "/etc/NetworkManager/system-connections"


def script(host: HostImage) -> str:
    parts = (_head, _names, _user, _login, _sudo, _host_keys, _locale, _network, _end)
    return "\n".join(text for text in ("".join(f"{line}\n" for line in part(host)) for part in parts) if text)


def _head(_host: HostImage) -> Iterator[str]:
    yield from ("#!/bin/sh", AUTHOR, "exec >> /var/log/firstrun.log 2>&1")


def _names(host: HostImage) -> Iterator[str]:
    yield f"echo {host.hostname} > /etc/hostname"
    yield r"sed -i '/^127\.0\.1\.1[[:space:]]/d' /etc/hosts"
    yield rf"printf '127.0.1.1\t%s\n' {host.hostname} >> /etc/hosts"


def _user(host: HostImage) -> Iterator[str]:
    """The image's own user under another name, with the groups that it has."""
    yield f"user={host.user}"
    yield "former=$(getent passwd 1000 | cut -d: -f1)"
    yield "group=$(getent group 1000 | cut -d: -f1)"
    yield '[ "$former" = "$user" ] || usermod --login "$user" --home "/home/$user" --move-home "$former"'
    yield '[ "$group" = "$user" ] || groupmod --new-name "$user" "$group"'
    yield 'sed -i "s/^$former:/$user:/" /etc/subuid /etc/subgid'
    if host.password_hash is None:
        yield 'usermod --lock "$user"'
    else:
        yield f"password={quote(host.password_hash)}"
        yield 'echo "$user:$password" | chpasswd --encrypted'
    yield "# Or the image would ask at its screen for a user."
    yield 'if command -v cancel-rename; then cancel-rename "$user"; fi'


def _login(host: HostImage) -> Iterator[str]:
    yield f"echo 'PasswordAuthentication {'no' if host.ssh_keys else 'yes'}' > {_SSHD}"
    if host.ssh_keys:
        yield 'install -d -o "$user" -g "$user" -m 0700 "/home/$user/.ssh"'
        owner = '-o "$user" -g "$user" '
        yield from _file('"/home/$user/.ssh/authorized_keys"', host.ssh_keys, "0600", owner)
    yield "systemctl enable ssh.service"


def _sudo(host: HostImage) -> Iterator[str]:
    yield 'usermod --append --groups sudo "$user"'
    yield "rm -f /etc/sudoers.d/010_pi-nopasswd"
    if host.passwordless_sudo:
        yield from _file(f"/etc/sudoers.d/010_{host.user}-nopasswd", [f"{host.user} ALL=(ALL) NOPASSWD: ALL"], "0440")


def _host_keys(host: HostImage) -> Iterator[str]:
    if not host.host_keys:
        return
    yield "rm -f /etc/ssh/ssh_host_*"
    for key in host.host_keys:
        path = f"/etc/ssh/ssh_host_{key.kind}_key"
        yield from _file(path, key.private.splitlines(), "0600")
        yield from _file(f"{path}.pub", key.public.splitlines(), "0644")
    yield "# The image would make new ones at its next start."
    yield "systemctl disable regenerate_ssh_host_keys.service"


def _locale(host: HostImage) -> Iterator[str]:
    if host.time_zone:
        yield f"ln -sf /usr/share/zoneinfo/{host.time_zone} /etc/localtime"
        yield f"echo {host.time_zone} > /etc/timezone"
    if host.keyboard:
        yield f"sed -i 's/^XKBLAYOUT=.*/XKBLAYOUT=\"{host.keyboard}\"/' /etc/default/keyboard"
        yield "dpkg-reconfigure --frontend=noninteractive keyboard-configuration"


def _network(host: HostImage) -> Iterator[str]:
    """NetworkManager, which all these images have, asks for an address by DHCP where nobody says anything."""
    if host.address and host.device == "eth0":
        yield from _connection("eth0", ["type=ethernet"], [], host.address)
    if host.wifi:
        yield "# The radio is off until the country is known, which the kernel's command line tells."
        yield "rm -f /var/lib/NetworkManager/NetworkManager.state"
        yield 'for state in /var/lib/systemd/rfkill/*:wlan; do [ ! -e "$state" ] || echo 0 > "$state"; done'
    if host.wifi and host.wifi.name is not None:
        address = host.address if host.device == "wlan0" else None
        yield from _connection("wlan0", ["type=wifi"], _access_point(host.wifi), address)


def _connection(device: str, kind: list[str], link: list[str], address: StaticAddress | None) -> Iterator[str]:
    lines = ["[connection]", f"id={device}", *kind, f"interface-name={device}", *link]
    for family, version in (("ipv4", 4), ("ipv6", 6)):
        own = address if address and address.interface.version == version else None
        lines += [f"[{family}]", *(_manual(own) if own else ["method=auto"]), *_names_to_ask(address, version)]
    yield from _file(f"{_CONNECTIONS}/{device}.nmconnection", lines, "0600")


def _manual(address: StaticAddress) -> list[str]:
    gateway = "" if address.gateway is None else f",{address.gateway}"
    return ["method=manual", f"address1={address.interface}{gateway}"]


def _names_to_ask(address: StaticAddress | None, version: int) -> list[str]:
    if address is None:
        return []
    servers = [server for server in address.nameservers if (":" in server) == (version == 6)]
    search = address.search if address.interface.version == version else ()
    asked = {"dns": servers, "dns-search": search}
    return [f"{key}={''.join(f'{value};' for value in values)}" for key, values in asked.items() if values]


def _access_point(wifi: Wifi) -> list[str]:
    """The name as numbers, so that no character of it can mean anything else."""
    name = "".join(f"{byte};" for byte in (wifi.name or "").encode())
    lines = ["[wifi]", "mode=infrastructure", f"ssid={name}", f"hidden={'true' if wifi.hidden else 'false'}"]
    return [*lines, "[wifi-security]", "key-mgmt=wpa-psk", f"psk={wifi.key}"] if wifi.key else lines


def _end(_host: HostImage) -> Iterator[str]:
    words = "".join(f" -e 's| {key}={value}||'" for key, value in ARGUMENTS.items())
    yield "# What fails from here on must not start the machine again and again."
    yield from ("set -e", f"cd {_BOOT}", f"sed{words} cmdline.txt > cmdline.new")
    yield from ("sync", "mv cmdline.new cmdline.txt", "sync", f"rm -f {SCRIPT}", "sync")


def _file(path: str, lines: Iterable[str], mode: str, owner: str = "") -> Iterator[str]:
    """Without following what the text means: the shell leaves a quoted here-document alone."""
    yield f"install {owner}-m {mode} /dev/stdin {path} <<'END'"
    yield from lines
    yield "END"
