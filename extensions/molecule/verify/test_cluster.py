# SPDX-License-Identifier: GPL-3.0-or-later
"""What every layout promises, however many servers and agents it has; the scenario's inventory is the expectation."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
import testinfra
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner

from tests.lab.lab import Lab

INVENTORY = os.environ["HEARTH_SCENARIO_INVENTORY"]
RUNNER = AnsibleRunner(INVENTORY)
SERVERS = RUNNER.get_hosts("k3s_server")
AGENTS = RUNNER.get_hosts("k3s_agent")


def machine(name: str) -> Host:
    """As root, over one kept connection: through Ansible each look would cost a second."""
    return testinfra.get_host(f"ssh://{name}?sudo=True", ssh_config=str(Lab().ssh_config))


@pytest.fixture(scope="module", params=[*SERVERS, *AGENTS])
def host(request: pytest.FixtureRequest) -> Host:
    return machine(request.param)


@pytest.fixture(scope="module")
def name(host: Host) -> str:
    return host.backend.get_hostname()


def kubectl(*arguments: str) -> Any:
    return json.loads(machine(SERVERS[-1]).check_output("k3s kubectl " + " ".join(arguments) + " -o json"))


def conditions(node: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}


def test_only_the_unit_of_its_own_role_is_there(host: Host, name: str) -> None:
    mine, other = ("k3s", "k3s-agent") if name in SERVERS else ("k3s-agent", "k3s")
    assert host.service(mine).is_running
    assert host.service(mine).is_enabled
    assert not host.file(f"/etc/systemd/system/{other}.service").exists


def test_the_unit_did_not_have_to_be_restarted_by_systemd(host: Host, name: str) -> None:
    unit = "k3s" if name in SERVERS else "k3s-agent"
    assert host.check_output(f"systemctl show --value -p NRestarts {unit}") == "0"


def test_what_holds_secrets_is_readable_by_root_alone(host: Host) -> None:
    listed = host.check_output(
        "find /etc/rancher /etc/systemd/system /var/lib/rancher/k3s/server/token -type f -perm /044 2>/dev/null || true"
    )
    token = host.file("/var/lib/rancher/k3s/server/token")
    password = token.content_string.strip().rsplit(":", 1)[-1] if token.exists else None
    for path in listed.splitlines():
        assert password is None or password not in host.file(path).content_string, path


def test_swap_is_off_and_the_clock_is_kept(host: Host) -> None:
    assert host.check_output("cat /proc/swaps").count("\n") == 0
    assert host.service("systemd-timesyncd").is_enabled


def test_every_machine_is_a_ready_node() -> None:
    nodes = {node["metadata"]["name"]: node for node in kubectl("get", "nodes")["items"]}
    assert sorted(nodes) == sorted([*SERVERS, *AGENTS])
    assert {name: conditions(node)["Ready"] for name, node in nodes.items()} == dict.fromkeys(nodes, "True")


def test_the_data_are_where_the_layout_puts_them() -> None:
    """SQLite for one server, etcd with all servers as voters for several, nothing on the servers beside a database."""
    places = {"db/etcd": len(SERVERS) > 1, "db/state.db": len(SERVERS) == 1}
    if RUNNER.get_variables(SERVERS[0]).get("k3s_datastore_endpoint"):
        places = dict.fromkeys(places, False)
    for name in SERVERS:
        found = {path: machine(name).file(f"/var/lib/rancher/k3s/server/{path}").exists for path in places}
        assert found == places, name
    nodes = {node["metadata"]["name"]: node for node in kubectl("get", "nodes")["items"]}
    voters = {name for name in SERVERS if conditions(nodes[name]).get("EtcdIsVoter") == "True"}
    assert voters == (set(SERVERS) if places["db/etcd"] else set())


def test_the_servers_form_one_cluster() -> None:
    authorities = {machine(name).file("/var/lib/rancher/k3s/server/tls/server-ca.crt").sha256sum for name in SERVERS}
    assert len(authorities) == 1, "the servers do not share one certificate authority: there is a second cluster"


def test_cluster_dns_answers() -> None:
    deadline = time.monotonic() + 120
    while True:
        deployment = kubectl("get", "deployment", "coredns", "-n", "kube-system")
        if deployment["status"].get("readyReplicas", 0) >= 1:
            return
        assert time.monotonic() < deadline, deployment["status"]
        time.sleep(2)
