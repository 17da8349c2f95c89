# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that lives is taken off its machines: only with its name, to the end, and the operator keeps his files."""

from __future__ import annotations

import pytest

from tests.e2e.drill import killed, kubeconfig_of
from tests.e2e.test_lifecycle_nodes import without_k3s
from tests.lab import playbook
from tests.lab.cluster import Cluster

pytestmark = pytest.mark.lab

CONFIRMED = ("-e", "confirm=lab")
KEPT = "/var/lib/hearth/backups/kept"


def test_a_cluster_goes_with_all_it_holds_and_the_operators_files_stay(cluster: Cluster) -> None:
    before, kubeconfig = cluster.processes(), kubeconfig_of(cluster.lab)
    access = kubeconfig.read_text()
    cluster.lab.machine("pi2").ssh(f"sudo mkdir -p {KEPT}")
    told = playbook.run("hearth.cluster.reset", "--check")
    assert told.status == 0, told.output[-6000:]
    assert "removed from pi1, pi2, pi3" in " ".join(told.output.split())
    for word in ((), ("-e", "confirm=home")):
        refused = playbook.run("hearth.cluster.reset", *word)
        assert refused.status != 0
        assert "Nothing was changed: the cluster is called lab" in " ".join(refused.output.split())
    assert cluster.processes() == before

    finish_after_a_kill(cluster)
    assert cluster.lab.machine("pi2").ssh(f"sudo test -d {KEPT}", check=False).returncode == 0
    assert kubeconfig.read_text() == access


def finish_after_a_kill(cluster: Cluster, turn: int = 0) -> None:
    killed("reset", *CONFIRMED, within=(2.0, 12.0), turn=turn)
    run = playbook.run("hearth.cluster.reset", *CONFIRMED)
    assert run.status == 0, run.output[-6000:]
    for machine in cluster.lab.machines():
        without_k3s(machine)
        assert machine.ssh("systemctl list-timers --all 'hearth-*' --no-legend").stdout == "", machine.name
    again = playbook.run("hearth.cluster.reset", *CONFIRMED)
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_reset_may_be_killed_at_any_moment(cluster: Cluster, turn: int) -> None:
    assert playbook.run("hearth.cluster.site").status == 0
    finish_after_a_kill(cluster, turn)
