# SPDX-License-Identifier: GPL-3.0-or-later
"""One server becomes three: k3s moves the cluster's data from SQLite to etcd, and the two others join."""

from __future__ import annotations

import pytest

from tests.lab import playbook
from tests.lab.availability import Availability
from tests.lab.cluster import Cluster, eventually, http_status, psql
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.soak]

ALONE = ("-e", "hearth_cluster=pi1", "-e", "hearth_servers=pi1")
DATABASE = "/var/lib/rancher/k3s/server/db/state.db"


def test_two_more_servers_move_the_cluster_to_etcd(lab: Lab, demo: str) -> None:
    lab.up(fresh=True)
    alone = playbook.run("hearth.cluster.site", *ALONE)
    assert alone.status == 0, alone.output[-6000:]
    cluster, first = Cluster(lab), lab.machine("pi1")
    assert first.ssh(f"sudo test -s {DATABASE}", check=False).returncode == 0
    psql(cluster, "create table kept (word text); insert into kept values ('from the time of SQLite')")
    identity = cluster.identity()["pi1"]

    with Availability([first.address]) as seen:
        run = playbook.run("hearth.cluster.site")
    print(seen.table())
    assert run.status == 0, run.output[-6000:]
    assert "pi1 has the cluster's data in SQLite" in run.output
    assert seen.failed_requests == 0, seen.table()

    assert {name: each["EtcdIsVoter"] for name, each in cluster.conditions().items()} == dict.fromkeys(
        ("pi1", "pi2", "pi3"), "True"
    )
    assert set(cluster.identity().values()) == {identity}
    assert first.ssh(f"sudo test -e {DATABASE}.migrated && ! sudo test -e {DATABASE}", check=False).returncode == 0
    assert psql(cluster, "select word from kept").strip() == "from the time of SQLite"
    assert all(eventually(lambda address=one.address: http_status(address) == 200) for one in lab.machines())
    assert playbook.run("hearth.cluster.site").changes == ()
