# SPDX-License-Identifier: GPL-3.0-or-later
"""``make test``: every stage that CI runs, with a summary that also names what could not run and why.

The stage on three servers mostly waits, so it runs beside the others, which give way to it: a cluster that is starved
of time answers late, and that is what it watches. One host has inotify instances for one such cluster at a time.

What a stage prints is kept in ``build/test/``, and shown when the stage fails. A stage that cannot run on this machine
(no root, no namespaces, no second interpreter) does not stop the others. Under ``CI=true`` a machine that cannot boot
machines is a failure: nothing may pass there by being left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.lab import requirements  # noqa: E402  # found only once the checkout is on the path

LOGS = ROOT / "build" / "test"
PULSE = 30.0  # seconds between two lines that say what is going on


@dataclass(frozen=True)
class Stage:
    """One make target; ``obstacle`` says why it cannot run here, or None; ``optional`` ones may be left out under CI
    too.
    """

    target: str
    obstacle: Callable[[], str | None] = lambda: None
    optional: bool = False
    variables: Callable[[], Sequence[str]] = tuple  # of make


def lacking(needs: Iterable[requirements.Requirement]) -> Callable[[], str | None]:
    """An obstacle that stands where the host lacks something, in the lab's own words."""
    needs = tuple(needs)

    def obstacle() -> str | None:
        absent = requirements.missing(needs)
        return requirements.explain(absent) if absent else None

    return obstacle


def no_second_python() -> str | None:
    found = subprocess.run(["sh", "tests/tools/newer_python.sh"], cwd=ROOT, capture_output=True, text=True, check=True)
    return None if found.stdout.strip() else "there is no Python 3.12 or newer beside the first one"


def tested_by_the_newest() -> Sequence[str]:
    """Playbooks are run by the first ansible-core all along, on machines: their unit tests need only the other one."""
    return ("WITHOUT=tests/unit/playbooks",) if no_second_python() is None else ()


GIVING_WAY = (
    Stage("lint"),
    Stage("unit", variables=tested_by_the_newest),
    Stage("unit-newest", no_second_python, optional=True),
    Stage("sanity"),
    Stage("sanity-newest", no_second_python, optional=True),
    Stage("go-test", lacking(requirements.GO)),
    Stage("apiserver-test", lacking(requirements.GO)),
    Stage("older-release", lacking(requirements.GO)),
    Stage("machine-test", lacking(requirements.GO + requirements.MACHINES)),
    Stage("molecule", lacking(requirements.GO + requirements.MACHINES)),
)
ON_CLUSTERS = (Stage("cluster-test", lacking(requirements.GO + requirements.MACHINES)),)


@dataclass
class Results:
    """What is known so far; two lanes of stages write into it."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)

    def pulse(self, now: float) -> str:
        return ", ".join(f"make {target} {now - since:.0f} s" for target, since in dict(self.running).items())


def log_of(target: str) -> Path:
    return LOGS / f"{target}.log"


def run(stage: Stage, results: Results) -> None:
    since = results.running[stage.target] = time.monotonic()
    with log_of(stage.target).open("wb") as output:
        yielding = ["nice", "-n", "10"] if stage in GIVING_WAY else []
        command = [*yielding, "make", "--no-print-directory", stage.target, *stage.variables()]
        status = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    del results.running[stage.target]
    (results.failed if status else results.passed).append(stage.target)
    lines = log_of(stage.target).read_text(errors="replace").splitlines()
    told = lines if status else lines[-1:]
    verdict = "FAILED" if status else "passed"
    print("\n".join([f"==== make {stage.target}: {verdict} after {time.monotonic() - since:.0f} s", *told]), flush=True)


def run_lane(stages: Sequence[Stage], results: Results) -> None:
    for stage in stages:
        reason = stage.obstacle()
        if reason is None:
            run(stage, results)
        elif stage.optional or os.environ.get("CI") != "true":
            results.left_out.append(f"{stage.target}: {reason}")
        else:
            print(f"==== make {stage.target}: cannot run, and CI may leave nothing out: {reason}", flush=True)
            results.failed.append(stage.target)


def tell_what_runs(results: Results, over: threading.Event) -> None:
    while not over.wait(PULSE):
        print(f"     running: {results.pulse(time.monotonic())}", flush=True)


def main() -> int:
    wanted = sys.argv[1:]
    lanes = [[stage for stage in lane if not wanted or stage.target in wanted] for lane in (GIVING_WAY, ON_CLUSTERS)]
    LOGS.mkdir(parents=True, exist_ok=True)
    results, over = Results(), threading.Event()
    threading.Thread(target=tell_what_runs, args=(results, over), daemon=True).start()
    with ThreadPoolExecutor(len(lanes)) as pool:
        for lane in [pool.submit(run_lane, lane, results) for lane in lanes]:
            lane.result()
    over.set()
    print()
    for line in results.left_out:
        print(f"could not run {line}")
    for name in results.failed:
        print(f"failed: make {name}; all that it printed: {log_of(name).relative_to(ROOT)}")
    print(f"{len(results.passed)} passed, {len(results.failed)} failed, {len(results.left_out)} skipped")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
