# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the probes of all machines say, as values that decisions are made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .._errors import InputError

Role = Literal["server", "agent"]
Datastore = Literal["", "sqlite", "etcd", "external"]

# A node has this label while a playbook has taken it out of service, and with the other value once it is back, until
# what was stopped for it is well.
OUT_OF_SERVICE = "hearth.cluster/out-of-service"
RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A Node object, as a live server lists it."""

    name: str
    ready: bool
    voter: bool | None = None  # None: not a member of etcd
    address: str = ""
    out_of_service: bool = False

    @classmethod
    def from_probe(cls, node: Mapping[str, Any]) -> ClusterNode:
        return cls(node["name"], node["ready"], node["etcd_voter"], node["address"], node["out_of_service"])


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the inventory that answered."""

    name: str
    role: Role
    address: str
    node_name: str
    installed_roles: tuple[str, ...] = ()
    live: bool = False
    running: bool = False
    enabled: bool = False  # starts with the machine
    datastore: Datastore = ""
    cluster: str = ""  # SHA-256 of the CA of the cluster it belongs to
    node_password: bool = False
    token_file: bool = False
    token_cluster: str = ""
    configured_server: str = ""
    configured_init: bool = False
    addresses: tuple[str, ...] = ()
    nodes: tuple[ClusterNode, ...] = field(default=(), repr=False)

    @property
    def holds_data(self) -> bool:
        """Whether this server has the cluster's data on its own disk."""
        return self.datastore in ("sqlite", "etcd")

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Machine:
        """Read what role k3s notes about each machine: its part in the cluster, and its probe."""
        k3s = record["probe"]["k3s"]
        return cls(
            name=record["name"],
            role=record["role"],
            address=record["address"],
            node_name=record["node_name"],
            installed_roles=tuple(k3s["installed_roles"]),
            live=k3s["role"] == "server" and k3s["api"]["ready"],
            running=k3s["service"]["active"] == "active",
            enabled=k3s["service"]["enabled"],
            datastore=k3s["datastore"],
            cluster=k3s["cluster"],
            node_password=k3s["node_password"],
            token_file=k3s["token_file"]["present"],
            token_cluster=k3s["token_file"]["cluster"],
            configured_server=k3s["config"]["server"],
            configured_init=k3s["config"]["cluster_init"],
            addresses=tuple(record["probe"]["host"]["addresses"]),
            nodes=tuple(ClusterNode.from_probe(node) for node in k3s["api"]["nodes"]),
        )


def server_url(server: Machine, port: int) -> str:
    """The address of a server's API."""
    return _url(server.address, port)


def host_of(variables: Mapping[str, Any]) -> dict[str, str]:
    """What the variables of a host tell about it where nothing has been asked of the machine yet."""
    name = variables["inventory_hostname"]
    address = variables.get("k3s_address") or variables.get("ansible_host") or name
    hostname = variables.get("raspberry_pi_hostname") or variables["inventory_hostname_short"]
    config = {**(variables.get("k3s_config") or {}), **(variables.get("k3s_server_config") or {})}
    return {
        "name": name,
        "address": address,
        "node_name": str(variables.get("k3s_node_name") or hostname).lower(),
        "url": _url(address, config.get("https-listen-port", 6443)),
    }


def kubeconfig_of(variables: Mapping[str, Any]) -> str:
    """Where the controller has the kubeconfig of a host's cluster, which is where role k3s puts it.

    An empty path would lead to whichever cluster the environment or `~/.kube/config` names.
    """
    path = variables.get("k3s_kubeconfig", f"~/.kube/{variables.get('k3s_cluster_name', 'home')}.yaml")
    if not path:
        raise InputError(
            "k3s_kubeconfig is empty, and this goes through the API of the cluster: name a file for its kubeconfig, or "
            "leave k3s_kubeconfig out. In k3s_kubeconfig_merge the current context may be that of another cluster"
        )
    return str(path)


def _url(address: str, port: int) -> str:
    """An IPv6 address stands in brackets."""
    return f"https://{f'[{address}]' if ':' in address else address}:{port}"


def servers_among(machines: Iterable[Machine], names: Iterable[str]) -> list[Machine]:
    """Return the servers that answered, in the order of the inventory."""
    by_name = {machine.name: machine for machine in machines}
    return [by_name[name] for name in names if name in by_name]


def listed(names: Iterable[str]) -> str:
    """Write names as a sentence does: a, b and c."""
    words = list(names)
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
