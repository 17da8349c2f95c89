# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that write to a log of their own and never outlive the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Runs in the child before its program starts. The parent is the *thread* that started it, which must stay."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Child:
    """One running program."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, name: str, arguments: list[str], directory: Path, environment: dict[str, str] | None = None
    ) -> Child:
        log = directory / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,  # noqa: PLW1509  no locks are taken in it
            )
        return cls(name, log, process)

    def check(self) -> None:
        """An error with the end of its log if it is no longer running."""
        status = self.process.poll()
        if status is not None:
            raise LabError(f"{self.name} ended with status {status}; the end of {self.log}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, grace: float = 10.0) -> None:
        self.process.terminate()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
