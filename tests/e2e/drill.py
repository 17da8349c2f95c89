# SPDX-License-Identifier: GPL-3.0-or-later
"""One playbook of the cluster's life, run while the blog and the API are watched from outside."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench import row
from tests.bench.lifecycle import DRILLS
from tests.lab import playbook
from tests.lab.availability import ApiWriter, Availability, never
from tests.lab.cluster import Cluster, eventually
from tests.lab.lab import Lab


@dataclass(frozen=True)
class Drill:
    """What the playbook did, and what was noticed of it."""

    run: playbook.Run
    seen: Availability


def kubeconfig_of(lab: Lab) -> Path:
    """The one that the lab's inventory has the controller keep."""
    return lab.home / "kubeconfig"


def drill(
    cluster: Cluster,
    name: str,
    *arguments: str,
    away: Sequence[str] = (),
    rolling: bool = False,
    reboots: bool = False,
    budget: bool = True,
    killed_within: tuple[float, float] | None = None,
) -> Drill:
    """Run ``hearth.cluster.<name>``, ask the blog through every machine that is not ``away``, and write to the API
    through the last of these. The figures are printed, and kept for ``make bench``.

    Where every machine has its turn, ``rolling``, one server that answers is enough for a write; where each ``reboots``
    as well, nobody asks the blog through a machine that is out of service.
    ``budget`` says whether the promise of no failed request and no gap holds for this drill.
    With ``killed_within`` a run is killed first, see ``killed``; that is watched like the run that finishes it. Where
    ``HEARTH_WHOLE_RUNS`` is set, none is killed: how long a playbook takes is told by one that was left alone.
    """
    stay = [machine.address for machine in cluster.lab.machines() if machine.name not in away and machine.is_on]
    writer = ApiWriter(kubeconfig_of(cluster.lab), stay if rolling else stay[-1:])
    # A machine that was wiped for the drill may have led etcd: what that cost is not the playbook's doing.
    assert eventually(lambda: not writer.write(0)), "the API server takes no writes before the drill"
    with Availability(stay, writer, writer.is_cordoned if reboots else never) as seen:
        if killed_within and "HEARTH_WHOLE_RUNS" not in os.environ:
            killed(name, *arguments, within=killed_within)
            for machine in cluster.lab.machines():
                machine.wait_ready()  # it may be on its way down or up
        run = playbook.run(f"hearth.cluster.{name}", *arguments)
    print(f"{name}: {run.seconds:.1f} s\n{seen.table()}")
    most = 0.0 if budget else None
    row.write(
        [
            row.Row(f"lifecycle.{name}.failed_requests", "requests", seen.failed_requests, budget=most),
            row.Row(f"lifecycle.{name}.api_gap_s", "s", seen.api_gap, budget=most),
            row.Row(f"lifecycle.{name}.wall_s", "s", run.seconds),
        ],
        DRILLS,
    )
    return Drill(run, seen)


def new_seed() -> int:
    """What decides about the moments of this run's kills; ``HEARTH_SEED`` repeats those of another run."""
    return int(os.environ.get("HEARTH_SEED", time.time_ns() % 10**6))


def killed(name: str, *arguments: str, within: tuple[float, float], turn: int = 0) -> None:
    """Run ``hearth.cluster.<name>`` and kill Ansible between so many and so many seconds later. The moment is printed;
    each ``turn`` of one seed has another one.

    In every second turn its workers die with it, as where the computer's power goes; otherwise they end their tasks.
    """
    seed = new_seed()
    after = random.Random(seed + turn).uniform(*within)
    whole = turn % 2 == 1
    print(f"{name}: killed after {after:.1f} s{', workers and all' if whole else ''} (HEARTH_SEED={seed})")
    with subprocess.Popen(
        playbook.command(f"hearth.cluster.{name}", *arguments),
        env=playbook.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        time.sleep(after)
        workers = descendants(process.pid) if whole else []
        os.killpg(process.pid, signal.SIGKILL)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def descendants(ancestor: int) -> list[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=", "-o", "ppid="], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in listed.stdout.splitlines())
    found = [ancestor]
    for parent in found:  # grows meanwhile
        found.extend(pid for pid, above in parents.items() if above == parent)
    return found[1:]
