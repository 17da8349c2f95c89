# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's three machines with the demo on them: built once for all end-to-end tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import need
from tests.lab import playbook, requirements
from tests.lab.builds import NEWEST_K3S
from tests.lab.cluster import Cluster
from tests.lab.lab import DEFAULT_NODES, Lab
from tests.lab.paths import REPOSITORY
from tests.lab.playbook import Run


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """An empty lab; nothing of it stays afterwards."""
    need(requirements.MACHINES + requirements.GO)
    instance = Lab()
    instance.down()
    yield instance
    instance.down()


@pytest.fixture(scope="session")
def demo(lab: Lab) -> str:
    """The text of ``make demo``: on a cluster that was upgraded to its version, or on blank machines."""
    if not Cluster(lab).runs(NEWEST_K3S, *DEFAULT_NODES):
        lab.down()
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.demo"],
        cwd=REPOSITORY,
        env=playbook.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.fixture(scope="session")
def cluster(demo: str, lab: Lab) -> Cluster:
    """The demo's Kubernetes, seen from outside."""
    return Cluster(lab)


def once_more(cluster: Cluster, *arguments: str) -> Run:
    processes = cluster.processes()
    run = playbook.run("hearth.cluster.site", *arguments)
    assert run.status == 0, run.output[-6000:]
    assert cluster.processes() == processes, "k3s was restarted for nothing"
    return run


@pytest.fixture(scope="session")
def again(cluster: Cluster) -> Run:
    """``hearth.cluster.site`` a second time, with all that it can say."""
    return once_more(cluster, "--diff", "-vvv")


@pytest.fixture(scope="session")
def foretold(cluster: Cluster) -> Run:
    """The same in check mode."""
    return once_more(cluster, "--check", "--diff")
