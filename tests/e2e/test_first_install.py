# SPDX-License-Identifier: GPL-3.0-or-later
"""The first run on blank machines: predicted by check mode, and finished by the next run when it is killed half-way."""

from __future__ import annotations

import pytest

from tests.e2e.drill import killed
from tests.e2e.test_lifecycle_upgrade import OLD, begin_anew
from tests.lab import playbook
from tests.lab.cluster import Cluster, eventually, http_status
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

# The older version: what is upgraded afterwards is the cluster that is made here.
SITE = ("site", "-e", f"k3s_version={OLD}")


@pytest.fixture
def blank(lab: Lab) -> Lab:
    begin_anew(lab)
    return lab


def site(*arguments: str) -> playbook.Run:
    run = playbook.run(f"hearth.cluster.{SITE[0]}", *SITE[1:], *arguments)
    assert run.status == 0, run.output[-6000:]
    return run


def kill_then_converge(lab: Lab, turn: int = 0) -> None:
    killed(*SITE, within=(3.0, 90.0), turn=turn)
    for machine in lab.machines():
        machine.wait_ready()  # it may have been on its way down or up
    finished = site()
    cluster = Cluster(lab)
    assert cluster.token().rsplit(":", 1)[-1] not in finished.output
    assert {name: each["Ready"] for name, each in cluster.conditions().items()} == dict.fromkeys(
        ("pi1", "pi2", "pi3"), "True"
    )
    assert len(set(cluster.identity().values())) == 1
    assert all(eventually(lambda address=machine.address: http_status(address) == 200) for machine in lab.machines())


def test_check_mode_on_blank_machines_and_a_killed_first_install(blank: Lab) -> None:
    assert site("--check", "--diff").changed > 0
    assert all(machine.ssh("test -e /etc/rancher", check=False).returncode != 0 for machine in blank.machines())
    kill_then_converge(blank)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_first_install_killed_at_any_moment_is_finished_by_the_next_run(blank: Lab, turn: int) -> None:
    kill_then_converge(blank, turn)
