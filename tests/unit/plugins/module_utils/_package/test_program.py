# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the controller: what they are given, what they give, and that none runs for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HearthError
from ansible_collections.hearth.cluster.plugins.module_utils._package.program import Done, run_program


def test_it_hands_over_input_folder_and_environment(tmp_path: Path) -> None:
    script = 'cat; printf " %s" "$WORD"; pwd; echo trouble >&2; exit 3'
    done = run_program(["sh", "-c", script], folder=tmp_path, given=b"given", environment={"WORD": "word"})
    assert done == Done(3, f"given word{tmp_path}\n".encode(), "trouble\n")


def test_much_input_that_nobody_reads_is_no_error() -> None:
    assert run_program(["true"], given=b"x" * 1_000_000) == Done(0, b"", "")


def test_a_program_that_is_not_there_is_the_callers_to_explain() -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["hearth-has-no-such-program"])


def test_one_that_does_not_end_is_stopped() -> None:
    with pytest.raises(HearthError, match="The program sleep did not end within 0 seconds and was stopped"):
        run_program(["sleep", "60"], seconds=0.2)


def test_it_runs_from_several_threads() -> None:
    found: list[Done] = []
    threads = [threading.Thread(target=lambda: found.append(run_program(["echo", "here"]))) for each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Done(0, b"here\n", "")] * 6
