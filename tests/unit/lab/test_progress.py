# SPDX-License-Identifier: GPL-3.0-or-later
"""Long steps are never silent."""

from __future__ import annotations

import io
import time

import pytest

from tests.lab import progress
from tests.lab.progress import Progress, elapsed


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (60, "1m00s"), (125, "2m05s"), (3600, "60m00s")]
)
def test_elapsed_time_is_short(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_in_a_log_a_step_has_a_line_at_its_beginning_and_one_at_its_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress(stream, clock).step("pi1", "booting"):
        clock.now = 7.0
    assert stream.getvalue().splitlines() == ["pi1      booting ...", "pi1      booting: done in 7s"]


def test_in_a_log_a_long_step_says_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_INTERVAL", 0.01)
    stream = io.StringIO()
    with Progress(stream).step("lab", "building") as step:
        step.note = "kubelet"
        deadline = time.monotonic() + 5
        while "still going" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "lab      building (kubelet): still going, 0s\n" in stream.getvalue()


def test_a_step_that_fails_says_so_and_lets_the_error_through() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="broken"), Progress(stream, Clock()).step("pi1", "booting"):
        raise ValueError("broken")
    assert stream.getvalue().splitlines()[-1] == "pi1      booting: failed after 0s"


def test_on_a_terminal_the_status_line_names_every_step_that_runs() -> None:
    stream, clock = Terminal(), Clock()
    shown = Progress(stream, clock)
    with shown.step("pi1", "booting"), shown.step("pi2", "booting"):
        status = stream.getvalue().rsplit("\r", 1)[1]
    assert "pi1      booting: 0s | pi2      booting: 0s" in status
    assert stream.getvalue().count("\n") == 2
