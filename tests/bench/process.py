# SPDX-License-Identifier: GPL-3.0-or-later
"""One process, timed from its start to its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = 1500  # characters of each end of what a process said


@dataclass(frozen=True)
class Finished:
    """A process that has ended; several that follow each other add up."""

    seconds: float
    cpu_seconds: float
    peak_mb: float

    def __add__(self, other: Finished) -> Finished:
        seconds, cpu_seconds = self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds
        return Finished(seconds, cpu_seconds, max(self.peak_mb, other.peak_mb))


NOTHING = Finished(0.0, 0.0, 0.0)


def run(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Finished:
    """Run a command to its end; what it says goes to a log, whose ends are shown if it fails."""
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace")
        raise SystemExit(f"bench: {Path(command[0]).name} failed:\n{said[:SHOWN]}\n[…]\n{said[-SHOWN:]}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
