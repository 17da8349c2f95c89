# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks in a house breaks here: the plug is pulled, the network is cut, a disk is full; the rest goes on, and the
cluster is whole again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.drill import kubeconfig_of
from tests.lab import playbook
from tests.lab.availability import ApiWriter, Availability
from tests.lab.cluster import Cluster, eventually, psql
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

NAMES = ("pi1", "pi2", "pi3")
DATASTORE = "/var/lib/rancher/k3s/server/db"
IS_LEADER = "curl --silent http://127.0.0.1:2381/metrics | grep -q '^etcd_server_is_leader 1'"
ROOM = 250  # MiB beside what the datastore takes; etcd mends its log in a copy


@pytest.fixture(autouse=True)
def whole_again(cluster: Cluster) -> Iterator[None]:
    """Afterwards all are there, a row that was stored before is too, and the inventory still describes the cluster."""
    psql(cluster, "create table if not exists faults (word text); insert into faults values ('stays')")
    yield
    assert eventually(lambda: cluster.is_whole(*NAMES), limit=180), cluster.conditions()
    assert eventually(lambda: "stays" in stored(cluster), limit=180)
    assert playbook.run("hearth.cluster.cluster").changes == ()


def stored(cluster: Cluster) -> str:
    command = "sudo k3s kubectl exec -n postgresql postgresql-0 -- psql -U postgres -tAc 'select word from faults'"
    return cluster.server().ssh(command, check=False).stdout


def leader(cluster: Cluster) -> Machine:
    return next(one for one in cluster.lab.machines() if one.ssh(IS_LEADER, check=False).returncode == 0)


@contextmanager
def written_to(cluster: Cluster, without: Machine) -> Iterator[Availability]:
    """The API server takes writes through the others; within seconds, for etcd may have to choose a leader."""
    others = [machine.address for machine in cluster.lab.machines() if machine.name != without.name]
    writer = ApiWriter(kubeconfig_of(cluster.lab), others)
    with Availability([], writer) as seen:
        yield seen
        assert eventually(lambda: not writer.write(0), limit=30), seen.table()
    print(seen.table())


def without_power(cluster: Cluster, machine: Machine) -> None:
    with written_to(cluster, without=machine):
        machine.power_cut()
        others = [one for one in cluster.lab.machines() if one.name != machine.name]
        assert eventually(lambda: is_away(cluster, machine, others[0]), limit=120)
    machine.start()
    machine.wait_ready()


def is_away(cluster: Cluster, machine: Machine, seen_by: Machine) -> bool:
    node = cluster.get("node", machine.name, server=seen_by)
    return any(one["type"] == "Ready" and one["status"] != "True" for one in node["status"]["conditions"])


def test_the_plug_of_the_machine_that_leads_etcd_is_pulled(cluster: Cluster) -> None:
    without_power(cluster, leader(cluster))


@pytest.mark.soak
def test_the_plug_of_the_first_server_is_pulled(cluster: Cluster) -> None:
    without_power(cluster, cluster.lab.machine("pi1"))


def test_a_server_is_cut_off_from_the_others_for_half_a_minute(cluster: Cluster) -> None:
    alone, *others = cluster.lab.machines()
    addresses = ",".join(machine.address for machine in others)
    rules = (f"INPUT --source {addresses} --jump DROP", f"OUTPUT --destination {addresses} --jump DROP")
    cut, mend = (" && ".join(f"iptables --{verb} {rule}" for rule in rules) for verb in ("insert", "delete"))
    with written_to(cluster, without=alone):
        alone.ssh(f"sudo sh -c '{cut}; sleep 30; {mend}'")


@contextmanager
def on_a_small_disk(machine: Machine) -> Iterator[None]:
    """The datastore lies on a file system of its own, with little room."""
    machine.ssh(
        f"sudo systemctl stop k3s && sudo mv {DATASTORE} {DATASTORE}.kept && sudo mkdir -m 700 {DATASTORE} && "
        f"size=$(($(sudo du -sm {DATASTORE}.kept | cut -f1) + {ROOM})) && "
        f"sudo mount -t tmpfs -o size=${{size}}M,mode=700 tmpfs {DATASTORE} && "
        f"sudo cp -a {DATASTORE}.kept/. {DATASTORE} && sudo systemctl start k3s"
    )
    yield
    machine.ssh(
        f"sudo systemctl stop k3s; sudo rm -rf {DATASTORE}.kept && sudo mkdir -m 700 {DATASTORE}.kept && "
        f"sudo cp -a {DATASTORE}/. {DATASTORE}.kept && sudo umount {DATASTORE} && sudo rmdir {DATASTORE} && "
        f"sudo mv {DATASTORE}.kept {DATASTORE} && sudo systemctl start k3s"
    )


@pytest.mark.soak
def test_the_disk_of_a_server_is_full(cluster: Cluster) -> None:
    machine = cluster.lab.machine("pi3")
    with on_a_small_disk(machine):
        assert eventually(lambda: cluster.is_whole(*NAMES), limit=120)
        with written_to(cluster, without=machine):
            machine.ssh(f"sudo dd if=/dev/zero of={DATASTORE}/filler bs=1M", check=False)
            fill_etcd(cluster, megabytes=80)
            assert eventually(lambda: not cluster.is_whole(*NAMES), limit=180), "the server did not mind its full disk"
            told = playbook.run("hearth.cluster.cluster", "-e", "k3s_ready_timeout=40")
            assert told.status != 0
            assert "pi3" in told.output
            assert "the disk is full" in " ".join(told.output.split()), told.output[-6000:]
        machine.ssh(f"sudo rm {DATASTORE}/filler")
        assert eventually(lambda: cluster.is_whole(*NAMES), limit=180)


def fill_etcd(cluster: Cluster, megabytes: int) -> None:
    """What is written to the API server lies in the datastore of every server."""
    server = cluster.lab.machine("pi1")
    server.ssh("head -c 900000 /dev/zero | tr '\\0' x > /tmp/filler")
    for number in range(megabytes):
        name = f"filler-{number % 3}"
        cluster.kubectl("delete", "configmap", name, "--ignore-not-found", server=server)
        cluster.kubectl("create", "configmap", name, "--from-file=/tmp/filler", server=server)
    for number in range(3):
        cluster.kubectl("delete", "configmap", f"filler-{number}", "--ignore-not-found", server=server)
