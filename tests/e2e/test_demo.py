# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make demo` promises, and that it stays so when it is run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import playbook, releases
from tests.lab.cluster import Cluster, eventually, http_status, psql
from tests.lab.playbook import Run

pytestmark = pytest.mark.lab


def test_three_servers_are_ready_voters_of_one_cluster(cluster: Cluster) -> None:
    conditions = cluster.conditions()
    assert sorted(conditions) == ["pi1", "pi2", "pi3"]
    assert all(each["Ready"] == "True" and each["EtcdIsVoter"] == "True" for each in conditions.values()), conditions
    assert len(set(cluster.identity().values())) == 1


def test_it_ends_by_naming_nodes_packages_and_the_blogs_address(demo: str) -> None:
    for expected in ("pi1", "pi2", "pi3", "blog", "postgresql", "http://10.", "200"):
        assert expected in demo


def test_the_blog_answers_on_every_machine(cluster: Cluster) -> None:
    for machine in cluster.lab.machines():
        assert eventually(lambda address=machine.address: http_status(address) == 200), machine.name


def test_the_blogs_two_pods_run_on_two_machines(cluster: Cluster) -> None:
    pods = cluster.get("pods", "-n", "blog")["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 2


def test_a_stored_row_outlives_its_pod(cluster: Cluster) -> None:
    psql(cluster, "create table if not exists kept (word text); insert into kept values ('hearth')")
    before = cluster.get("pod", "-n", "postgresql", "postgresql-0")["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "-n", "postgresql", "postgresql-0", "--wait=true")
    cluster.kubectl("rollout", "status", "-n", "postgresql", "statefulset/postgresql", "--timeout=180s")
    assert cluster.get("pod", "-n", "postgresql", "postgresql-0")["metadata"]["uid"] != before
    assert "hearth" in psql(cluster, "select word from kept").split()


def test_a_second_run_changes_nothing_and_restarts_nothing(again: Run) -> None:
    assert {host: counts["changed"] for host, counts in again.recap.items()} == dict.fromkeys(again.recap, 0), (
        again.output
    )


def test_a_converged_machine_costs_at_most_six_module_runs(again: Run, cluster: Cluster) -> None:
    counts = again.module_runs(machine.name for machine in cluster.lab.machines())
    assert 0 < max(counts.values()) <= 6, counts


def test_the_release_instead_of_the_double_is_one_variable_and_the_same_way(cluster: Cluster, tmp_path: Path) -> None:
    """GitHub is played by the lab's release server, which offers the double's files, so nothing may change."""
    instead = {"k3s_release_url": releases.url(cluster.lab.instance), "k3s_release_cache": str(tmp_path)}
    run = playbook.run("hearth.cluster.cluster", "-e", json.dumps(instead), HEARTH_LAB_K3S="release")
    assert run.status == 0, run.output[-6000:]
    assert run.changes == (), run.output
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"sha256sum-amd64.txt", "k3s-airgap-images-amd64.tar.zst"} <= names


def test_check_mode_on_the_running_cluster_predicts_no_change(foretold: Run) -> None:
    assert foretold.changes == (), foretold.output
