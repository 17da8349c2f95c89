# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Try again what fails for a reason that passes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from .._errors import ClusterError
from .server.refusal import retry_delay

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Clock:
    """Time, given from outside: the core has no clock of its own."""

    now: Callable[[], float]
    sleep: Callable[[float], None]

    def deadline(self, seconds: float) -> float:
        return self.now() + seconds


Delay: TypeAlias = "Callable[[ClusterError, int], float | None]"


def patiently(ask: Callable[[], Answer], *, clock: Clock, seconds: float, delay: Delay = retry_delay) -> Answer:
    """Ask until there is an answer, an error that does not pass, or no time left."""
    deadline = clock.deadline(seconds)
    attempt = 0
    while True:
        try:
            return ask()
        except ClusterError as error:
            pause = delay(error, attempt)
            if pause is None or clock.now() + pause > deadline:
                raise
            clock.sleep(pause)
            attempt += 1
