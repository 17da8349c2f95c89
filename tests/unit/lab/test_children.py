# SPDX-License-Identifier: GPL-3.0-or-later
"""Children: their log, their end, and that they do not outlive who started them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.children import Child
from tests.lab.errors import LabError
from tests.lab.paths import REPOSITORY

PARENT = """
import sys, time
from pathlib import Path
from tests.lab.children import Child
child = Child.start("it", ["sleep", "600"], Path(sys.argv[1]))
print(child.process.pid, flush=True)
time.sleep(600)
"""


def test_a_child_that_ended_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    child = Child.start("it", ["sh", "-c", "echo no such file >&2; exit 3"], tmp_path)
    child.process.wait(10)
    with pytest.raises(LabError, match=r"(?s)it ended with status 3.*it\.log.*no such file"):
        child.check()


def test_a_child_that_runs_is_none(tmp_path: Path) -> None:
    child = Child.start("it", ["sleep", "600"], tmp_path)
    child.check()
    child.stop()
    assert child.process.returncode == -signal.SIGTERM


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    child = Child.start("it", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], tmp_path)
    while "ready" not in child.tail():
        time.sleep(0.02)
    child.stop(grace=0.2)
    assert child.process.returncode == -signal.SIGKILL


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
