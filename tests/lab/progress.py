# SPDX-License-Identifier: GPL-3.0-or-later
"""Long steps tell what they are doing: which machine, which step, how long so far.

On a terminal one status line is rewritten every second; elsewhere (a log, CI) each step prints a line when it starts,
when it ends, and every quarter of a minute in between. Steps may run in several threads at once.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

TERMINAL_INTERVAL = 1.0
LOG_INTERVAL = 15.0


@dataclass(eq=False)
class Step:
    """One thing that is going on; ``note`` may be replaced while it runs, for example by a package name."""

    subject: str
    text: str
    started: float
    note: str = ""

    def line(self, now: float, state: str) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.subject:<8} {self.text}{note}: {state}{elapsed(now - self.started)}"


def elapsed(seconds: float) -> str:
    """``7s``, ``2m05s``: short, and never jumping in width by much."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60:02d}s"


@dataclass
class Progress:
    """Prints the steps that run. One object per command; safe to share between threads."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._terminal = self.stream.isatty()
        self._running: list[Step] = []
        self._lock = threading.Lock()
        self._ticker: threading.Thread | None = None
        self._idle = threading.Event()

    @contextmanager
    def step(self, subject: str, text: str) -> Iterator[Step]:
        step = Step(subject, text, self.clock())
        self._begin(step)
        try:
            yield step
        except BaseException:
            self._end(step, "failed after ")
            raise
        self._end(step, "done in ")

    def say(self, subject: str, text: str) -> None:
        """One line that stands for itself, for what takes no time."""
        with self._lock:
            self._write_line(f"{subject:<8} {text}")

    def _begin(self, step: Step) -> None:
        with self._lock:
            self._running.append(step)
            if self._terminal:
                self._write_status()
            else:
                self._write_line(f"{step.subject:<8} {step.text} ...")
            if self._ticker is None:
                self._idle.clear()
                self._ticker = threading.Thread(target=self._tick, args=(self._idle,), daemon=True)
                self._ticker.start()

    def _end(self, step: Step, state: str) -> None:
        with self._lock:
            self._running.remove(step)
            self._write_line(step.line(self.clock(), state))
            if not self._running:
                self._idle.set()
                self._idle = threading.Event()
                self._ticker = None

    def _tick(self, idle: threading.Event) -> None:
        interval = TERMINAL_INTERVAL if self._terminal else LOG_INTERVAL
        while not idle.wait(interval):
            with self._lock:
                if self._terminal:
                    self._write_status()
                    continue
                for step in self._running:
                    self._write_line(step.line(self.clock(), "still going, "))

    def _write_line(self, line: str) -> None:
        clear = "\r\x1b[K" if self._terminal else ""
        self.stream.write(f"{clear}{line}\n")
        if self._terminal:
            self._write_status()
        self.stream.flush()

    def _write_status(self) -> None:
        now = self.clock()
        status = " | ".join(step.line(now, "") for step in self._running)
        width = shutil.get_terminal_size().columns - 1
        self.stream.write("\r\x1b[K" + status[:width])
        self.stream.flush()
