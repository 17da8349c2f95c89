# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes go, come and are replaced while the blog and the API are watched from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import row
from tests.bench.lifecycle import DRILLS
from tests.lab import playbook
from tests.lab.cluster import Cluster, node_of_database, psql
from tests.lab.machine import Machine
from tests.lab.playbook import Run

from .drill import drill, killed

pytestmark = pytest.mark.lab

ALL = ("pi1", "pi2", "pi3")
KILLED_WITHIN = {"remove_node": (1.0, 30.0), "add_node": (1.0, 45.0), "replace_node": (1.0, 45.0)}
TRACES = "ls -d /etc/rancher/* /var/lib/rancher/k3s /var/lib/kubelet /run/k3s /usr/local/bin/k3s; pgrep containerd-shim"


@pytest.fixture(scope="module", autouse=True)
def a_row_that_stays(cluster: Cluster) -> Iterator[None]:
    """A row that was stored before is there afterwards."""
    psql(cluster, "create table if not exists life (word text); insert into life values ('goes on')")
    yield
    assert "goes on" in psql(cluster, "select word from life").splitlines()


def without_database(cluster: Cluster) -> list[str]:
    """The two nodes of which the machine may go with all that is on it."""
    return [name for name in ALL if name != node_of_database(cluster)]


@pytest.fixture(scope="module")
def leaver(cluster: Cluster) -> str:
    """The node that is removed and added: the one with the database, which moves."""
    return node_of_database(cluster)


def run(name: str, *arguments: str) -> Run:
    done = playbook.run(f"hearth.cluster.{name}", *arguments)
    assert done.status == 0, done.output[-6000:]
    return done


def unnoticed(cluster: Cluster, name: str, *arguments: str, away: str) -> Run:
    """The playbook, killed at first and run again, of which nobody noticed anything."""
    done = drill(cluster, name, *arguments, away=[away], killed_within=KILLED_WITHIN[name])
    assert done.run.status == 0, done.run.output[-6000:]
    assert done.seen.failed_requests == 0, done.seen.table()
    assert not done.seen.api.failures, done.seen.table()
    return done.run


def healthy(cluster: Cluster, *names: str) -> None:
    """These are the nodes: Ready, voters of one etcd, and none of them cordoned."""
    conditions = cluster.conditions()
    assert sorted(conditions) == sorted(names)
    assert all(each["Ready"] == "True" and each["EtcdIsVoter"] == "True" for each in conditions.values()), conditions
    assert cluster.out_of_service() == []


def without_k3s(machine: Machine) -> None:
    """Nothing of it is left: no file, no process, no firewall rule."""
    assert machine.ssh(TRACES, check=False).stdout == "", machine.name
    assert machine.ssh("sudo iptables-save", check=False).stdout.count("KUBE-") == 0, machine.name


def refused(done: Run, *words: str) -> None:
    flat = " ".join(done.output.split())
    assert done.status != 0, done.output[-4000:]
    assert all(word in flat for word in words), done.output[-4000:]
    assert done.changes == ()


@pytest.mark.parametrize("name", ["add_node", "remove_node", "replace_node"])
def test_a_node_that_nobody_knows_is_refused(cluster: Cluster, name: str) -> None:
    refused(playbook.run(f"hearth.cluster.{name}"), "Name", "-e node=NAME")
    refused(playbook.run(f"hearth.cluster.{name}", "-e", "node=pi33"), "pi33", "did you mean pi3")


def test_a_name_that_another_machine_has_is_refused(cluster: Cluster, leaver: str, tmp_path: Path) -> None:
    address = cluster.lab.machine(leaver).address
    other = next(name for name in ALL if name != leaver)
    twin = {"k3s_agent": {"hosts": {"pi97": {"ansible_host": address, "k3s_node_name": other}}}}
    (tmp_path / "more.yml").write_text(json.dumps(twin))
    done = playbook.run("hearth.cluster.add_node", "-i", str(tmp_path / "more.yml"), "-e", "node=pi97")
    refused(done, f"a node named {other} is alive in the cluster", address)


def test_a_node_with_the_only_copy_of_a_volume_stays(cluster: Cluster, leaver: str) -> None:
    done = playbook.run("hearth.cluster.remove_node", "-e", f"node={leaver}")
    refused(done, "postgresql/data-postgresql-0", "move_volumes=true", "delete_volumes=true")
    healthy(cluster, *ALL)


def test_a_server_is_removed_unnoticed_and_the_database_moves(cluster: Cluster, leaver: str) -> None:
    words = ("-e", f"node={leaver}", "-e", "move_volumes=true")
    told = run("remove_node", *words, "--check")
    assert "a snapshot of etcd is kept" in told.output
    assert told.changed > 0
    healthy(cluster, *ALL)

    done = unnoticed(cluster, "remove_node", *words, away=leaver)
    assert f"take {leaver} out of the inventory" in done.output
    healthy(cluster, *(name for name in ALL if name != leaver))
    without_k3s(cluster.lab.machine(leaver))
    assert "goes on" in psql(cluster, "select word from life").splitlines()
    assert run("remove_node", *words).changes == ()


def inventory_with(token: str, file: Path) -> Path:
    file.write_text(json.dumps({"k3s_token": token}))
    return file


def test_a_blank_machine_is_added_unnoticed(cluster: Cluster, leaver: str, tmp_path: Path) -> None:
    """No other machine is looked at: the cluster's API says it all, and the inventory has the token."""
    cluster.lab.wipe(leaver)
    others = [name for name in ALL if name != leaver]
    before = {name: cluster.processes()[name] for name in others}
    token = cluster.token().rsplit(":", 1)[-1]
    given = ("-e", f"node={leaver}", "-e", f"@{inventory_with(token, tmp_path / 'token.json')}")
    other = ("-e", f"node={leaver}", "-e", f"@{inventory_with('another-token', tmp_path / 'other.json')}")
    refused(playbook.run("hearth.cluster.add_node", *other), "is not the token of the cluster", "rotate_token")
    assert run("add_node", *given, "--check").changed > 0

    done = unnoticed(cluster, "add_node", *given, "--diff", "-vvv", away=leaver)
    healthy(cluster, *ALL)
    touched = done.module_runs(others)
    figure = row.Row("lifecycle.add_node.module_runs_per_existing_host", "runs", max(touched.values()), budget=0)
    row.write([figure], DRILLS)
    assert set(touched.values()) == {0}, done.modules
    assert token not in done.output
    assert {name: cluster.processes()[name] for name in others} == before
    assert run("add_node", "-e", f"node={leaver}").changes == ()


def test_a_new_machine_takes_the_place_of_an_old_one_unnoticed(cluster: Cluster) -> None:
    replaced = without_database(cluster)[0]  # it may be the one that the controller's kubeconfig names
    cluster.kubectl("label", "node", replaced, "disk=ssd")
    cluster.kubectl("taint", "node", replaced, "room=attic:PreferNoSchedule")
    before = cluster.get("node", replaced)
    run("evacuate", "-e", f"node={replaced}")
    cluster.lab.wipe(replaced)

    unnoticed(cluster, "replace_node", "-e", f"node={replaced}", away=replaced)
    healthy(cluster, *ALL)
    after = cluster.get("node", replaced)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["spec"]["taints"] == before["spec"]["taints"]
    assert run("replace_node", "-e", f"node={replaced}").changes == ()
    cluster.kubectl("label", "node", replaced, "disk-")
    cluster.kubectl("taint", "node", replaced, "room-")


def removed(cluster: Cluster, name: str) -> None:
    run("remove_node", "-e", f"node={name}")
    healthy(cluster, *(other for other in ALL if other != name))


def added(cluster: Cluster, name: str) -> None:
    run("add_node", "-e", f"node={name}")
    healthy(cluster, *ALL)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_playbooks_killed_at_any_moment_are_finished_by_the_next_run(cluster: Cluster, turn: int) -> None:
    replaced, leaver = without_database(cluster)

    def kill(name: str, node: str) -> None:
        killed(name, "-e", f"node={node}", within=KILLED_WITHIN[name], turn=turn)

    kill("remove_node", leaver)
    removed(cluster, leaver)
    kill("add_node", leaver)
    added(cluster, leaver)
    run("evacuate", "-e", f"node={replaced}")
    cluster.lab.wipe(replaced)
    kill("replace_node", replaced)
    run("replace_node", "-e", f"node={replaced}")
    healthy(cluster, *ALL)
