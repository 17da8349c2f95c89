# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's power supply: the process that boots it, and again when it reboots, until it is switched off.

It is started in a session of its own and outlives the command that started it. While it lives it holds a lock on the
machine's file in the run-time directory, which is how others know that the machine is on: a process id could by now be
somebody else's.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from tests.lab import cgroups

REBOOTED = 133  # systemd-nspawn's exit status when the machine asked for a reboot


@dataclass(frozen=True)
class Power:
    """What the supervisor needs to know."""

    group: str
    lock: str
    log: str
    command: list[str]


def switch_on(power: Power, repository: Path) -> None:
    """Start a supervisor and come back once it holds the lock."""
    ready, signal_ready = os.pipe()
    with Path(power.log).open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "tests.lab.supervisor", json.dumps(asdict(power)), str(signal_ready)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=repository,
            start_new_session=True,
            pass_fds=[signal_ready],
        )
    os.close(signal_ready)
    with os.fdopen(ready) as answer:
        answer.read()


def holder(lock: Path) -> int | None:
    """The process id of the supervisor that holds this lock, or None when the machine is off."""
    if not lock.exists():
        return None
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(handle.read() or 0) or None
    return None


def main(arguments: Sequence[str]) -> int:
    power = Power(**json.loads(arguments[0]))
    with Path(power.lock).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        os.close(int(arguments[1]))
        return _run_until_off(power)


def _run_until_off(power: Power) -> int:
    machine = 0
    switched_off = False

    def switch_off(_signal: int, _frame: FrameType | None) -> None:
        nonlocal switched_off
        switched_off = True
        if machine:
            os.kill(machine, signal.SIGTERM)  # nspawn then asks the machine's init for an orderly shutdown

    signal.signal(signal.SIGTERM, switch_off)
    status = REBOOTED
    while status == REBOOTED and not switched_off:
        cgroups.clear(power.group)
        machine = _boot(power.command, cgroups.create(power.group))
        status = os.waitstatus_to_exitcode(os.waitpid(machine, 0)[1])
    return status


def _boot(command: list[str], groups: list[Path]) -> int:
    """The supervisor stays outside the machine's groups, so that a power cut of the machine is none of its own."""
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for entry in groups:
            entry.write_text(str(os.getpid()))
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot boot: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
