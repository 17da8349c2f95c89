# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes on the lab's machines as an onlooker sees it: through a server's own kubectl, over HTTP, and in what
systemd says.
"""

from __future__ import annotations

import json
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

from tests.lab.errors import LabError
from tests.lab.lab import Lab
from tests.lab.machine import Machine

# How a backup takes the demo's database along: an entry of backup_commands.
DATABASE_DUMP = {
    "name": "postgresql",
    "namespace": "postgresql",
    "pod": "postgresql-0",
    "command": ["pg_dumpall", "--username=postgres", "--clean", "--if-exists"],
    "restore": ["psql", "--username=postgres", "--quiet"],
}
PROCESSES = "systemctl show --value -p MainPID -p ExecMainStartTimestampMonotonic k3s.service k3s-agent.service"


class Cluster:
    """Reads only, but for ``kubectl``, which does what it is told. Asks any server that is on."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def server(self) -> Machine:
        for machine in self.lab.machines():
            if machine.is_on and machine.ssh("systemctl is-active k3s", check=False).returncode == 0:
                return machine
        raise LabError("no machine of this lab runs a k3s server")

    def kubectl(self, *arguments: str, given: str | None = None, server: Machine | None = None) -> str:
        line = "sudo k3s kubectl " + " ".join(shlex.quote(argument) for argument in arguments)
        return (server or self.server()).ssh(line, given=given).stdout

    def get(self, *arguments: str, server: Machine | None = None) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json", server=server))

    def nodes(self) -> Any:
        return self.get("nodes")["items"]

    def conditions(self) -> dict[str, dict[str, str]]:
        """``{"pi1": {"Ready": "True", "EtcdIsVoter": "True", …}, …}``"""
        return {
            node["metadata"]["name"]: {item["type"]: item["status"] for item in node["status"]["conditions"]}
            for node in self.nodes()
        }

    def versions(self) -> dict[str, str]:
        """The k3s of each node."""
        return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in self.nodes()}

    def is_whole(self, *names: str) -> bool:
        """Whether these are the nodes, each Ready and a voter of etcd."""
        seen = self.conditions()
        return set(seen) == set(names) and all(
            each["Ready"] == each.get("EtcdIsVoter") == "True" for each in seen.values()
        )

    def out_of_service(self) -> list[str]:
        """The nodes that are cordoned, and those that a playbook has not brought back to its end."""
        mark = "hearth.cluster/out-of-service"
        out = [node for node in self.nodes() if node["spec"].get("unschedulable") or mark in node["metadata"]["labels"]]
        return [node["metadata"]["name"] for node in out]

    def unreachable_pods(self) -> dict[str, str]:
        """The addresses of pods that do not lie in the network of their node, to which the other nodes' routes lead."""
        networks = {node["metadata"]["name"]: ip_network(node["spec"]["podCIDR"]) for node in self.nodes()}
        pods = [pod for pod in self.get("pods", "--all-namespaces")["items"] if not pod["spec"].get("hostNetwork")]
        placed = [pod for pod in pods if pod["status"].get("podIP") and pod["status"]["phase"] == "Running"]
        return {
            f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": pod["status"]["podIP"]
            for pod in placed
            if ip_address(pod["status"]["podIP"]) not in networks[pod["spec"]["nodeName"]]
        }

    def runs(self, version: str, *names: str) -> bool:
        """Whether it is whole with these nodes, and all run this k3s. Where no server runs there is no cluster."""
        try:
            return self.is_whole(*names) and set(self.versions().values()) == {version}
        except LabError:
            return False

    def processes(self) -> dict[str, str]:
        """What identifies the running k3s of each machine: its main process and when that started."""
        return {machine.name: machine.ssh(PROCESSES).stdout for machine in self.lab.machines()}

    def token(self) -> str:
        """As a server has it: ``K10<hash>::server:<password>``."""
        return self.server().ssh("sudo cat /var/lib/rancher/k3s/server/token").stdout.strip()

    def identity(self) -> dict[str, str]:
        """The certificate authority of each server: two values are two clusters."""
        digest = "sudo sha256sum /var/lib/rancher/k3s/server/tls/server-ca.crt"
        return {machine.name: machine.ssh(digest, check=False).stdout[:64] for machine in self.lab.machines()}


def node_of_database(cluster: Cluster) -> str:
    return str(cluster.get("pod", "-n", "postgresql", "postgresql-0")["spec"]["nodeName"])


def psql(cluster: Cluster, statement: str) -> str:
    """What the demo's database answers, a row a line."""
    return cluster.kubectl(
        "exec", "-n", "postgresql", "postgresql-0", "--", "psql", "-U", "postgres", "-tA", "-c", statement
    )


def http_status(address: str, path: str = "/", limit: float = 5.0) -> int:
    """The status of one GET; 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=limit) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def eventually(holds: Callable[[], bool], limit: float = 60.0, pause: float = 0.5) -> bool:
    """Whether something came true within ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
