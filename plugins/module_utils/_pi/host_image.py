# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The host that a card shall become at its first boot, checked from end to end."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import InputError
from .ssh_keys import HostKey, check_public_key, read_host_key

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class StaticAddress:
    interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface
    gateway: ipaddress.IPv4Address | ipaddress.IPv6Address | None
    nameservers: tuple[str, ...]
    search: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wifi:
    """Without a name only the country is set, so that the radio may be used later."""

    country: str
    name: str | None
    password: str | None
    hidden: bool

    @property
    def key(self) -> str | None:
        """The key that WPA2 makes of name and password, so that the password itself is not on the card."""
        if self.password is None or len(self.password) == 64:
            return self.password and self.password.lower()
        return hashlib.pbkdf2_hmac("sha1", self.password.encode(), (self.name or "").encode(), 4096, 32).hex()


@dataclass(frozen=True, slots=True)
class HostImage:
    hostname: str
    user: str
    ssh_keys: tuple[str, ...]
    password_hash: str | None
    passwordless_sudo: bool
    device: str  # which interface the address is for
    address: StaticAddress | None  # None stands for DHCP
    wifi: Wifi | None
    time_zone: str | None
    keyboard: str | None
    host_keys: tuple[HostKey, ...]
    instance_id: str | None


def host_image(params: Mapping[str, Any]) -> HostImage:
    """Read the options; one error for the first thing that is wrong."""
    host = HostImage(
        hostname=params["hostname"],
        user=params["user"],
        ssh_keys=tuple(key.strip() for key in params["ssh_keys"] or ()),
        password_hash=params["password_hash"],
        passwordless_sudo=params["passwordless_sudo"],
        device="wlan0" if (params["address"] or {}).get("wifi") else "eth0",
        address=_address(params["address"]) if params["address"] else None,
        wifi=_wifi(params["wifi"]) if params["wifi"] else None,
        time_zone=params["time_zone"],
        keyboard=params["keyboard"],
        host_keys=tuple(read_host_key(key) for key in params["host_keys"] or ()),
        instance_id=params["instance_id"],
    )
    _check_names(host)
    _check_login(host)
    _check_network(host)
    _check_host_keys(host)
    return host


def refuse_duplicates(host: HostImage, others: Sequence[Mapping[str, Any]]) -> None:
    """``others`` are the inventory's other hosts: ``hostname`` and, where it is static, ``address``."""
    for other in others:
        if other["hostname"] == host.hostname:
            raise InputError(
                f"Another host of the inventory is called '{host.hostname}' as well; k3s refuses the second."
            )
        address = other.get("address")
        if address and host.address and _ip(address.partition("/")[0], "address") == host.address.interface.ip:
            raise InputError(
                f"'{other['hostname']}' of the inventory has the address {host.address.interface.ip} as well."
            )


def refuse_unknown_zone(host: HostImage, known: Collection[str]) -> None:
    """``known`` are this machine's time zones; a machine that has none cannot judge."""
    if host.time_zone is not None and known and host.time_zone not in known:
        raise InputError(f"There is no time zone {host.time_zone!r}; write it as in Europe/Berlin.")


def _check_names(host: HostImage) -> None:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", host.hostname):
        raise InputError(
            f"{host.hostname!r} is not a host name: use up to 63 lower-case letters, digits and inner hyphens, "
            "without a domain."
        )
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", host.user) or host.user == "root":
        raise InputError(
            f"{host.user!r} cannot be the user: use up to 32 lower-case letters, digits, '_' and '-', not root."
        )
    if host.time_zone is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", host.time_zone):
        raise InputError(f"{host.time_zone!r} is not a time zone, such as Europe/Berlin.")
    if host.keyboard is not None and not re.fullmatch(r"[a-z]{2,8}", host.keyboard):
        raise InputError(f"{host.keyboard!r} is not a keyboard layout, such as us, gb or de.")
    if host.instance_id is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", host.instance_id):
        raise InputError(
            f"{host.instance_id!r} cannot be an instance id: use up to 64 letters, digits, '.', '_' and '-'."
        )


def _check_login(host: HostImage) -> None:
    for key in host.ssh_keys:
        check_public_key(key)
        if _CONTROL.search(key):
            raise InputError("An SSH key holds a control character.")
    if len(set(host.ssh_keys)) < len(host.ssh_keys):
        raise InputError("An SSH key is given twice.")
    if host.password_hash is not None and not re.fullmatch(r"\$(y|gy|7|6|5|2[aby])\$[!-9;-~]{16,}", host.password_hash):
        raise InputError("The password hash is not one: make it with 'mkpasswd -m yescrypt' or 'openssl passwd -6'.")
    if not host.ssh_keys and host.password_hash is None:
        raise InputError(f"Nobody could log in to '{host.hostname}': give an SSH key or a password hash.")
    if not host.passwordless_sudo and host.password_hash is None:
        raise InputError(f"'{host.user}' could never use sudo: give a password hash or allow sudo without a password.")


def _check_network(host: HostImage) -> None:
    if host.device == "wlan0" and (host.wifi is None or host.wifi.name is None):
        raise InputError("The static address is for Wi-Fi, but no Wi-Fi network is given.")


def _check_host_keys(host: HostImage) -> None:
    kinds = [key.kind for key in host.host_keys]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise InputError(f"Two host keys are of the kind {kind}; sshd uses one of each.")


def _address(params: Mapping[str, Any]) -> StaticAddress:
    text = params["address"]
    if "/" not in text:
        raise InputError(f"The address '{text}' lacks the length of its network, as in 192.168.1.11/24.")
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise InputError(f"'{text}' is not an address with the length of its network, as in 192.168.1.11/24.") from None
    network = interface.network
    if network.num_addresses > 2 and interface.ip in {network.network_address, network.broadcast_address}:
        raise InputError(f"{interface.ip} is the first or last address of {network}, which no host can have.")
    gateway = _ip(params["gateway"], "gateway") if params["gateway"] else None
    if gateway is not None and (gateway not in network or gateway == interface.ip):
        raise InputError(f"The gateway {gateway} cannot be reached: it must be another address of {network}.")
    nameservers = tuple(str(_ip(server, "name server")) for server in params["nameservers"] or ())
    search = tuple(params["search"] or ())
    for domain in search:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", domain):
            raise InputError(f"'{domain}' is not a domain to search.")
    return StaticAddress(interface, gateway, nameservers, search)


def _ip(text: str, what: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise InputError(f"The {what} '{text}' is not an IP address.") from None


def _wifi(params: Mapping[str, Any]) -> Wifi:
    country, name, password = params["country"], params["name"], params["password"]
    if not country:
        raise InputError("Wi-Fi needs its country, such as DE: without it the radio stays off.")
    if not re.fullmatch(r"[A-Z]{2}", country):
        raise InputError(f"'{country}' is not a country of two capital letters, such as DE.")
    if name is None and password is not None:
        raise InputError("A Wi-Fi password is given without the name of its network.")
    if name is not None and (not 1 <= len(name.encode("utf-8", "replace")) <= 32 or _CONTROL.search(name)):
        raise InputError(
            f"{name!r} is not the name of a Wi-Fi network: it has 1 to 32 bytes and no control characters."
        )
    if password is not None and not re.fullmatch(r"[ -~]{8,63}|[0-9a-fA-F]{64}", password):
        raise InputError("The Wi-Fi password must have 8 to 63 ASCII characters, or be a key of 64 hexadecimal digits.")
    return Wifi(country, name, password, bool(params["hidden"]))
