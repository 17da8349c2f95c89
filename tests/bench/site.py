# SPDX-License-Identifier: GPL-3.0-or-later
"""``hearth.cluster.site`` on the lab's three machines: the first run on blank machines, then runs that have nothing
to do.

The peer figures for module runs are counts over the task files of other projects at named commits, not timed runs:
their installers fetch from sites that the lab does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.row import Row
from tests.lab import playbook, releases
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

# Remote module runs of a re-run on a converged server, counted by hand at k3s-io/k3s-ansible 281554e and
# techno-tim/k3s-ansible 422621c.
COUNTED_PEERS = {"k3s-io/k3s-ansible": 30.0, "techno-tim/k3s-ansible": 45.0}


def measure() -> Iterator[Row]:
    lab = Lab()
    releases.serve_releases(lab.instance)
    lab.up(fresh=True)
    cluster = Cluster(lab)
    hosts = [machine.name for machine in lab.machines()]

    first = playbook.run("hearth.cluster.site", show=True)
    if first.status != 0:
        raise SystemExit("bench: the first run failed; nothing can be measured")
    before = cluster.processes()
    again = playbook.run("hearth.cluster.site")
    machines_alone = playbook.run("hearth.cluster.site", "--tags", "provision,cluster")
    restarts = sum(before[name] != now for name, now in cluster.processes().items())

    runs = max(machines_alone.module_runs(hosts).values())
    yield Row("site.noop.module_runs_per_host", "runs", runs, COUNTED_PEERS, budget=6)
    yield Row("site.noop.changed", "tasks", again.changed, budget=0)
    # The first peer restarts the service of every host on every run (`state: restarted`).
    yield Row("site.noop.k3s_restarts", "restarts", restarts, {"k3s-io/k3s-ansible": len(hosts)}, budget=0)
    yield Row("site.noop.wall_s", "s", again.seconds)
    yield Row("site.first.wall_s", "s", first.seconds)
