# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def card_neighbours(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Name and address of each host, as far as its variables tell them."""
    return [{"hostname": _name(host), **_address(host)} for host in hosts]


def _name(host: Mapping[str, Any]) -> str:
    return str(host.get("card_hostname") or host.get("raspberry_pi_hostname") or host["inventory_hostname_short"])


def _address(host: Mapping[str, Any]) -> dict[str, str]:
    static = host.get("card_address") or {}
    for candidate in (static.get("address"), host.get("ansible_host")):
        try:
            return {"address": str(ipaddress.ip_interface(str(candidate)).ip)}
        except ValueError:
            continue
    return {}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"card_neighbours": card_neighbours}
