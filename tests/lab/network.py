# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a lab instance: one bridge, one subnet, and on request the way out for apt and DNS.

Names and addresses are derived, never stored. The way out needs a setting of the host, forwarding on its uplink, so it
is opened only under ``HEARTH_LAB_INTERNET=1``: masquerading in an nft table of the instance's own, and forwarding on
two interfaces, the bridge and the uplink. The uplink's former setting is put back when the last instance goes.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab import locks
from tests.lab.errors import LabError
from tests.lab.paths import RUNTIME_ROOT

DEFAULT_INSTANCE = "hearth"
INSTANCE_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")  # with "br-" before it, an interface name of at most 15 characters
NODE_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z])?([1-9][0-9]{0,2})")
FIRST_ADDRESS = 10
LAST_NUMBER = 200
CONFIGURATION = Path("/proc/sys/net/ipv4/conf")
HOST_LOCK = RUNTIME_ROOT / ".host-network.lock"  # what instances share: the uplink's setting
FORMER_FORWARDING = RUNTIME_ROOT / "uplink-forwarding.json"


@dataclass(frozen=True)
class Network:
    """Everything about the network that follows from the instance's name."""

    instance: str

    def __post_init__(self) -> None:
        if not INSTANCE_NAME.fullmatch(self.instance):
            raise LabError(
                f"lab instance {self.instance!r}: a name begins with a letter and has at most 12 small letters, digits "
                "and dashes; set HEARTH_LAB to such a name"
            )

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        if self.instance == DEFAULT_INSTANCE:
            return ipaddress.IPv4Network("10.77.0.0/24")
        digest = hashlib.sha256(self.instance.encode()).digest()
        return ipaddress.IPv4Network(f"10.{78 + digest[0] % 22}.0.0/24")

    @property
    def bridge(self) -> str:
        return f"br-{self.instance}"

    @property
    def table(self) -> str:
        return f"hearth-lab-{self.instance}"

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        return self.subnet[1]

    def address(self, node: str) -> ipaddress.IPv4Address:
        """The number at the end of a machine's name is its place in the subnet: pi1 is .11, pi12 is .22."""
        match = NODE_NAME.fullmatch(node)
        if match is None or int(match[1]) > LAST_NUMBER:
            raise LabError(
                f"machine {node!r}: a name is small letters that end in a number from 1 to {LAST_NUMBER}, such as pi1; "
                "the number gives the machine its address"
            )
        return self.subnet[FIRST_ADDRESS + int(match[1])]


def ruleset(network: Network, uplink: str) -> str:
    """What leaves the subnet is masqueraded; what stays on the bridge is left alone, though its frames pass here too.

    Forwarding on the uplink must not open the machines to the world: from there only answers come in.
    """
    return f"""
table ip {network.table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {network.subnet} oifname != "{network.bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname "{uplink}" oifname "{network.bridge}" ct state != {{ established, related }} drop
  }}
}}
"""


def no_table(network: Network) -> str:
    """The table may or may not be there: created if it is not, then deleted, in one transaction with what follows."""
    return f"table ip {network.table}\ndelete table ip {network.table}\n"


def bring_up(network: Network) -> None:
    """Idempotent: whatever a crash left is completed or replaced."""
    _refuse_foreign_subnet(network)
    with locks.exclusive(HOST_LOCK):
        if not (Path("/sys/class/net") / network.bridge).exists():
            _run("ip", "link", "add", network.bridge, "type", "bridge")
        _run("ip", "address", "replace", f"{network.gateway}/{network.subnet.prefixlen}", "dev", network.bridge)
        _run("ip", "link", "set", network.bridge, "up")
        uplink = _uplink()
        if uplink and os.environ.get("HEARTH_LAB_INTERNET") == "1":
            _run("nft", "-f", "-", given=no_table(network) + ruleset(network, uplink))
            (CONFIGURATION / network.bridge / "forwarding").write_text("1")
            _forward_on(uplink)


def take_down(network: Network) -> None:
    with locks.exclusive(HOST_LOCK):
        _run("nft", "-f", "-", given=no_table(network))
        if (Path("/sys/class/net") / network.bridge).exists():
            _run("ip", "link", "delete", network.bridge)
        if not _lab_tables():
            _restore_forwarding()


def remove_link(name: str) -> None:
    """Delete an interface that may or may not be there, now or in this very moment no longer."""
    subprocess.run(["ip", "link", "delete", name], stderr=subprocess.DEVNULL, check=False)


def name_servers() -> list[str]:
    """The host's name servers as a machine can reach them: a stub on the host's loopback is of no use to it."""
    for source in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = source.read_text() if source.exists() else ""
        servers = [
            words[1] for line in text.splitlines() if len(words := line.split()) > 1 and words[0] == "nameserver"
        ]
        usable = [server for server in servers if not server.startswith("127.") and server != "::1"]
        if usable:
            return usable
    return []


def _refuse_foreign_subnet(network: Network) -> None:
    for link in json.loads(_run("ip", "-json", "-4", "address", "show")):
        for address in link["addr_info"]:
            if link["ifname"] != network.bridge and ipaddress.IPv4Address(address["local"]) in network.subnet:
                raise LabError(
                    f"the lab's subnet {network.subnet} is in use by interface {link['ifname']} ({address['local']}); "
                    "choose another lab instance with HEARTH_LAB=<name>"
                )


def _uplink() -> str | None:
    for route in json.loads(_run("ip", "-json", "-4", "route", "show", "default")):
        return str(route["dev"])
    return None


def _forward_on(uplink: str) -> None:
    setting = CONFIGURATION / uplink / "forwarding"
    former = setting.read_text().strip()
    if former == "1":
        return
    FORMER_FORWARDING.parent.mkdir(parents=True, exist_ok=True)
    FORMER_FORWARDING.write_text(json.dumps({uplink: former}))
    setting.write_text("1")


def _restore_forwarding() -> None:
    if not FORMER_FORWARDING.exists():
        return
    for uplink, former in json.loads(FORMER_FORWARDING.read_text()).items():
        if (CONFIGURATION / uplink).exists():
            (CONFIGURATION / uplink / "forwarding").write_text(former)
    FORMER_FORWARDING.unlink()


def _lab_tables() -> list[str]:
    """The tables of the instances that still have a network."""
    tables = json.loads(_run("nft", "-j", "list", "tables"))["nftables"]
    return [
        entry["table"]["name"] for entry in tables if entry.get("table", {}).get("name", "").startswith("hearth-lab-")
    ]


def _run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
