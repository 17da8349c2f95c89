# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is taken out of service and back, with the database that lies on it, while the blog is read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.drill import drill, killed
from tests.lab import playbook
from tests.lab.availability import Availability
from tests.lab.cluster import Cluster, eventually, node_of_database, psql

pytestmark = pytest.mark.lab

POD, CLAIM = "postgresql-0", "data-postgresql-0"
MOVE = ("-e", "move_volumes=true")


def directory_of_database(cluster: Cluster) -> str:
    claim = cluster.get("pvc", "-n", "postgresql", CLAIM)
    spec = cluster.get("pv", claim["spec"]["volumeName"])["spec"]
    return str((spec.get("local") or spec.get("hostPath"))["path"])


def is_cordoned(cluster: Cluster, node: str) -> bool:
    return bool(cluster.get("node", node)["spec"].get("unschedulable"))


def pods_on(cluster: Cluster, node: str) -> set[str]:
    found = cluster.get("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}")["items"]
    return {f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in found}


@pytest.fixture(scope="module")
def row(cluster: Cluster) -> str:
    """A row that is there from now on."""
    mark = f"written at {time.time()}"
    psql(cluster, "CREATE TABLE IF NOT EXISTS evacuated (note text)")
    psql(cluster, f"INSERT INTO evacuated VALUES ('{mark}')")
    return mark


@pytest.fixture(autouse=True)
def in_service_again(cluster: Cluster) -> Iterator[None]:
    """Whatever happened, other tests find three servers that take pods."""
    yield
    cluster.kubectl("uncordon", "pi1", "pi2", "pi3")


def test_without_the_word_the_database_stays_and_nothing_is_changed(cluster: Cluster, row: str) -> None:
    node, before = node_of_database(cluster), pods_on(cluster, node_of_database(cluster))
    refused = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}")
    assert refused.status != 0
    for name in (node, f"postgresql/{POD}", f"claim postgresql/{CLAIM}", "move_volumes=true"):
        assert name in refused.output, refused.output
    assert (refused.changes, is_cordoned(cluster, node), pods_on(cluster, node)) == ((), False, before)


def test_the_database_moves_with_its_data_and_nobody_notices(cluster: Cluster, row: str) -> None:
    node, directory = node_of_database(cluster), directory_of_database(cluster)
    foretold = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", *MOVE, "--check")
    assert foretold.status == 0, foretold.output
    assert "1 volume to move to" in foretold.output
    assert not is_cordoned(cluster, node)

    done = drill(cluster, "evacuate", "-e", f"node={node}", *MOVE, away=[node], killed_within=(3.0, 20.0))
    assert done.run.status == 0, done.run.output
    assert (done.seen.failed_requests, done.seen.api_gap) == (0, 0.0), done.seen.table()
    assert row in psql(cluster, "SELECT note FROM evacuated")
    assert node_of_database(cluster) != node
    assert is_cordoned(cluster, node)
    assert f"{node} still holds {directory}" in done.run.output
    assert "pgdata" in cluster.lab.machine(node).ssh(f"sudo ls {directory}").stdout
    (bystander,) = {"pi1", "pi2", "pi3"} - {node, node_of_database(cluster)}
    copy = directory_of_database(cluster)  # the run that was killed may have begun it, and the next goes on there
    assert cluster.lab.machine(bystander).ssh(f"sudo ls -d {copy} {copy}.incoming", check=False).stdout == ""

    again = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", *MOVE)
    assert (again.status, again.changes) == (0, ()), again.output
    cleaned = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", "-e", "remove_old=true")
    assert cleaned.status == 0, cleaned.output
    assert cluster.lab.machine(node).ssh(f"sudo ls {directory}", check=False).returncode != 0

    with Availability([machine.address for machine in cluster.lab.machines()]) as seen:
        back = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", "-e", "back=true")
    assert (back.status, back.changed, seen.failed_requests) == (0, 1, 0), back.output + seen.table()
    assert not is_cordoned(cluster, node)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_run_killed_at_any_moment_is_finished_by_the_next(cluster: Cluster, row: str, turn: int) -> None:
    node = node_of_database(cluster)
    arguments = ("-e", f"node={node}", *MOVE)
    killed("evacuate", *arguments, within=(2.0, 40.0), turn=turn)
    done = playbook.run("hearth.cluster.evacuate", *arguments)
    assert done.status == 0, done.output
    assert eventually(lambda: node_of_database(cluster) != node), done.output
    assert row in psql(cluster, "SELECT note FROM evacuated")
    back = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", "-e", "back=true", "-e", "remove_old=true")
    assert back.status == 0, back.output
    assert not any(is_cordoned(cluster, each) for each in ("pi1", "pi2", "pi3"))


def test_a_cordon_of_somebody_else_is_kept(cluster: Cluster) -> None:
    node = next(each for each in ("pi1", "pi2", "pi3") if each != node_of_database(cluster))
    cluster.kubectl("cordon", node)
    done = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}")
    assert done.status == 0, done.output
    back = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", "-e", "back=true")
    assert (back.status, back.changes) == (0, ()), back.output
    assert "stays cordoned, for it was not a drain that cordoned it" in back.output
    assert is_cordoned(cluster, node)


def test_a_pod_that_hangs_is_named_and_the_node_opened_again(cluster: Cluster) -> None:
    node = next(each for each in ("pi1", "pi2", "pi3") if each != node_of_database(cluster))
    image = cluster.get("pods", "-n", "blog", "-l", "app=blog")["items"][0]["spec"]["containers"][0]["image"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hangs", "finalizers": ["example.org/keeper"]},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "it", "image": image, "command": ["sleep", "600"]}],
        },
    }
    cluster.kubectl("create", "-f", "-", given=json.dumps(pod))
    try:
        refused = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}")
        assert "pod default/hangs: no controller would make it again elsewhere" in refused.output, refused.output
        late = ("-e", "unmanaged_pods=evict", "-e", "drain_timeout=15")
        failed = playbook.run("hearth.cluster.evacuate", "-e", f"node={node}", *late)
        assert "pod default/hangs, held by the finalizer example.org/keeper" in failed.output, failed.output
        assert f"Node {node} is uncordoned again" in failed.output
        assert (refused.status, failed.status, is_cordoned(cluster, node)) == (2, 2, False)
    finally:
        cluster.kubectl("patch", "pod", "hangs", "--type=merge", '-p={"metadata": {"finalizers": null}}')
        cluster.kubectl("delete", "pod", "hangs", "--ignore-not-found", "--wait=false")
