# SPDX-License-Identifier: GPL-3.0-or-later
"""k3s of three servers brought from one minor version to the next, while blog, database and API go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e import test_lifecycle_restore as backups
from tests.e2e.drill import Drill, drill, killed
from tests.lab import demo, playbook, releases
from tests.lab.availability import Availability
from tests.lab.builds import K3S_VERSIONS
from tests.lab.cluster import Cluster, eventually, psql
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.playbook import Run

pytestmark = pytest.mark.lab

NEW, OLD = K3S_VERSIONS
ALL = ("pi1", "pi2", "pi3")
TO_NEW = ("-e", f"k3s_version={NEW}")
BROKEN = "/etc/rancher/k3s/config.yaml.d/99-broken.yaml"


def begin_anew(lab: Lab) -> None:
    """Blank machines, and the older version for them."""
    demo.supply(lab.progress)
    releases.release(OLD)
    lab.up(fresh=True)


@pytest.fixture
def old_cluster(lab: Lab) -> Cluster:
    """The older version on three servers: those that another test left with it, or blank machines until now."""
    cluster = Cluster(lab)
    if not cluster.runs(OLD, *ALL):
        begin_anew(lab)
        run = playbook.run("hearth.cluster.site", "-e", f"k3s_version={OLD}")
        assert run.status == 0, run.output[-6000:]
    psql(cluster, "create table if not exists drills (name text); insert into drills values ('upgrade')")
    return cluster


def upgrade(*arguments: str) -> Run:
    return playbook.run("hearth.cluster.upgrade_k3s", *TO_NEW, *arguments)


def measured(cluster: Cluster, *arguments: str, killed_within: tuple[float, float] | None = None) -> Drill:
    return drill(cluster, "upgrade_k3s", *TO_NEW, *arguments, rolling=True, killed_within=killed_within)


def unnoticed(seen: Availability) -> None:
    assert (seen.failed_requests, seen.api_gap) == (0, 0.0), seen.table()


def told(run: Run, *words: str) -> None:
    flat = " ".join(run.output.split())
    assert all(word in flat for word in words), run.output[-6000:]


def converged(cluster: Cluster) -> None:
    """All run the new version, nothing is out of service, nothing was lost, and nothing is left to do."""
    assert cluster.runs(NEW, *ALL), cluster.versions()
    assert cluster.out_of_service() == []
    assert "upgrade" in psql(cluster, "select name from drills")
    again = upgrade()
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]


@contextmanager
def stopped(machine: Machine, cluster: Cluster) -> Iterator[None]:
    machine.ssh("sudo systemctl stop k3s")
    yield
    machine.ssh("sudo systemctl start k3s")
    assert eventually(lambda: cluster.is_whole(*ALL), limit=120)


def test_three_servers_are_upgraded_while_all_goes_on(old_cluster: Cluster) -> None:
    before = old_cluster.processes()
    predicted = upgrade("--check")
    assert predicted.status == 0, predicted.output[-6000:]
    told(predicted, f"k3s {NEW} goes to pi1, pi2 and pi3, in this order", "pi1 saves a snapshot of etcd")
    assert old_cluster.processes() == before
    assert set(old_cluster.versions().values()) == {OLD}

    with stopped(old_cluster.lab.machine("pi3"), old_cluster):
        refused = upgrade()
        assert (refused.status != 0, refused.changes) == (True, ())
        told(refused, "pi3 runs no k3s", "mend it first")

    finished(measured(old_cluster, killed_within=(5.0, 40.0)))
    converged(old_cluster)


def finished(done: Drill) -> None:
    assert done.run.status == 0, done.run.output[-6000:]
    unnoticed(done.seen)


@pytest.mark.soak
def test_the_way_back_is_a_backup_of_before(old_cluster: Cluster, tmp_path: Path) -> None:
    """etcd's data go back with the version that wrote them; what was done since is given up on the explicit word."""
    taken = backups.take(old_cluster, tmp_path)
    finished(measured(old_cluster))
    psql(old_cluster, "insert into backed_up values ('later')")

    run = backups.restore(taken.path, taken, "-e", f"k3s_version={OLD}", "-e", "overwrite=lab", "--diff", "-vv")
    backups.as_it_was(taken, old_cluster, run)
    assert old_cluster.runs(OLD, *ALL)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_an_upgrade_killed_at_any_moment_is_finished_by_the_next_run(old_cluster: Cluster, turn: int) -> None:
    killed("upgrade_k3s", *TO_NEW, within=(5.0, 120.0), turn=turn)
    finished(measured(old_cluster))
    converged(old_cluster)


def configure(machine: Machine, line: str) -> None:
    machine.ssh(f"sudo mkdir -p $(dirname {BROKEN}); echo '{line}' | sudo tee {BROKEN} > /dev/null")


@pytest.mark.soak
def test_a_server_that_does_not_come_back_ends_the_upgrade_and_the_next_run_goes_on(old_cluster: Cluster) -> None:
    """It is the one that the kubeconfig names: the next run goes past it. None begins without a snapshot of it."""
    machine = old_cluster.lab.machine("pi1")
    configure(machine, "data-dir: /dev/null/k3s")
    refused = upgrade()
    assert (refused.status != 0, refused.changes) == (True, ()), refused.output[-6000:]
    told(refused, "pi1", "do without a snapshot: -e k3s_upgrade_snapshot=false")

    configure(machine, "kube-apiserver-arg: no-such-flag=true")
    ended = measured(old_cluster, "-e", "k3s_ready_timeout=60")
    assert ended.run.status != 0
    unnoticed(ended.seen)
    told(ended.run, "pi1", "did not become ready")
    assert old_cluster.versions() == dict.fromkeys(ALL, OLD)

    machine.ssh(f"sudo rm {BROKEN}")
    done = measured(old_cluster)
    finished(done)
    told(done.run, "pi1 (server), which an earlier run began with,")
    converged(old_cluster)


@pytest.mark.soak
def test_a_power_cut_in_the_middle_of_a_nodes_upgrade(old_cluster: Cluster) -> None:
    killed("upgrade_k3s", *TO_NEW, within=(45.0, 45.0))
    machine = old_cluster.lab.machine("pi1")
    machine.power_cut()
    machine.start()
    machine.wait_ready()
    assert eventually(lambda: old_cluster.is_whole(*ALL), limit=180)
    done = upgrade()
    assert done.status == 0, done.output[-6000:]
    converged(old_cluster)
