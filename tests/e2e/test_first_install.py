# SPDX-License-Identifier: GPL-3.0-or-later
"""The first run on blank machines: predicted by check mode, and finished by the next run when it is killed half-way."""

from __future__ import annotations

import random

import pytest

from tests.e2e.drill import killed, new_seed
from tests.lab import playbook
from tests.lab.cluster import Cluster, eventually, http_status
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def blank(lab: Lab, demo: str) -> Lab:
    """The demo's machines as newly written cards.

    Comes after the demo, so that the release server and what it serves are there.
    """
    lab.up(fresh=True)
    return lab


def check_then_kill_then_converge(lab: Lab, seed: int) -> None:
    generator = random.Random(seed)
    seconds = generator.uniform(3, 90)
    print(f"seed {seed}: killed after {seconds:.1f} s")
    killed("site", after=seconds)
    for machine in lab.machines():
        machine.wait_ready()  # it may have been on its way down or up
    run = playbook.run("hearth.cluster.site")
    assert run.status == 0, f"seed {seed}, killed after {seconds:.1f} s\n{run.output[-6000:]}"
    cluster = Cluster(lab)
    assert {name: each["Ready"] for name, each in cluster.conditions().items()} == dict.fromkeys(
        ("pi1", "pi2", "pi3"), "True"
    )
    assert len(set(cluster.identity().values())) == 1
    assert all(eventually(lambda address=machine.address: http_status(address) == 200) for machine in lab.machines())


def test_check_mode_on_blank_machines_and_a_killed_first_install(blank: Lab) -> None:
    predicted = playbook.run("hearth.cluster.site", "--check", "--diff")
    assert predicted.status == 0, predicted.output[-6000:]
    assert predicted.changed > 0
    assert all(machine.ssh("test -e /etc/rancher", check=False).returncode != 0 for machine in blank.machines())
    check_then_kill_then_converge(blank, seed=new_seed())


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_first_install_killed_at_any_moment_is_finished_by_the_next_run(blank: Lab, turn: int) -> None:
    check_then_kill_then_converge(blank, seed=new_seed() + turn)
