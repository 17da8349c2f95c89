# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. nftables rules for what reaches a node itself; what it forwards is left alone.

The table is the role's own, and its unit replaces nothing else: kube-proxy, flannel and the network policies keep
theirs. Ports of Services are forwarded, not received, so they need no rule here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from .._errors import InputError

TABLE = "hearth"
# k3s: API server, etcd, kubelet, embedded registry; and what flannel sends, by VXLAN or WireGuard.
_BETWEEN_NODES = "tcp dport { 2379-2380, 5001, 6443, 10250 } accept", "udp dport { 8472, 51820-51821 } accept"
_BRIDGES = '{ "cni0", "flannel.1", "flannel-wg" }'


def ruleset(nodes: Sequence[str], open_ports: Sequence[str]) -> str:
    """``nodes``: addresses and networks of the cluster; ``open_ports``: such as 22/tcp, for everybody."""
    ports = [_port(port) for port in open_ports]
    if ("tcp", "22") not in ports:
        ports.insert(0, ("tcp", "22"))
    families = {4: "ip", 6: "ip6"}
    rules = [
        "ct state established,related accept",
        "ct state invalid drop",
        'iifname "lo" accept',
        f"iifname {_BRIDGES} accept",
        "meta l4proto { icmp, ipv6-icmp } accept",
        "udp sport 67 udp dport 68 accept",
        *(f"{protocol} dport {port} accept" for protocol, port in ports),
    ]
    for version, family in families.items():
        members = [str(network) for network in _networks(nodes) if network.version == version]
        if members:
            among = f"{family} saddr {{ {', '.join(members)} }}"
            rules += [f"{among} {rule}" for rule in _BETWEEN_NODES]
    body = "".join(f"        {rule}\n" for rule in rules)
    chain = f"    chain input {{\n        type filter hook input priority filter; policy drop;\n{body}    }}\n"
    # Declared first, so that there is something to delete; all of it is one transaction.
    return f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n{chain}}}\n"


def _networks(nodes: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        networks = {ipaddress.ip_network(node, strict=False) for node in nodes}
    except ValueError as error:
        raise InputError(f"raspberry_pi_firewall_trusted: {error}; give addresses or networks") from None
    return sorted(networks, key=lambda network: (network.version, int(network.network_address), network.prefixlen))


def _port(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"([0-9]{1,5}(?:-[0-9]{1,5})?)/(tcp|udp)", text)
    if not match or any(not 0 < int(number) < 65536 for number in match.group(1).split("-")):
        raise InputError(f"raspberry_pi_firewall_open: {text!r} is not a port; write it as in 443/tcp")
    return match.group(2), match.group(1)
