# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Through which proxy a server is reached, by the rules that kubectl follows."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ..._errors import InputError


def proxy_for(server: str, proxy: str, environment: Mapping[str, str]) -> str:
    """The proxy's address, empty for none: the kubeconfig's own, or that of the environment."""
    found = proxy or _of_environment(server, environment)
    if found and urlsplit(found).scheme != "http":
        raise InputError(
            f"The API server {server} is to be reached through {found}; only http:// proxies are supported"
        )
    return found


def _of_environment(server: str, environment: Mapping[str, str]) -> str:
    def value(name: str) -> str:
        return environment.get(name.upper()) or environment.get(name) or ""

    address = urlsplit(server)
    found = value(f"{address.scheme}_proxy")
    if not found or _is_exempt(address.hostname or "", value("no_proxy")):
        return ""
    return found if "://" in found else f"http://{found}"


def _is_exempt(host: str, exceptions: str) -> bool:
    """Loopback never goes through a proxy of the environment; exceptions are names, domains, addresses or networks."""
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    rules = [rule.strip().lower() for rule in exceptions.split(",") if rule.strip()]
    return any(rule == "*" or _names(rule, host) or (address is not None and _holds(rule, address)) for rule in rules)


def _names(rule: str, host: str) -> bool:
    return host == rule or host.endswith("." + rule.lstrip("*").lstrip("."))


def _holds(rule: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
