# SPDX-License-Identifier: GPL-3.0-or-later
"""One command at a time, also when the one before removes its lock while the next waits for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.locks import exclusive


def test_nothing_stays_when_the_lock_is_given_back(tmp_path: Path) -> None:
    with exclusive(tmp_path / "sub" / "a.lock"):
        assert (tmp_path / "sub" / "a.lock").exists()
    assert not (tmp_path / "sub" / "a.lock").exists()


def test_holders_never_overlap_and_one_that_waits_says_so(tmp_path: Path) -> None:
    inside, waited, overlaps = [0], [0], []

    @contextmanager
    def waiting() -> Iterator[None]:
        waited[0] += 1
        yield

    def work() -> None:
        for _turn in range(25):
            with exclusive(tmp_path / "a.lock", waiting()):
                inside[0] += 1
                overlaps.append(inside[0])
                inside[0] -= 1

    with exclusive(tmp_path / "a.lock"):
        threads = [threading.Thread(target=work) for _turn in range(4)]
        for thread in threads:
            thread.start()
        threads[0].join(0.1)
        assert overlaps == []
    for thread in threads:
        thread.join(20)
    assert overlaps == [1] * 100
    assert waited[0] >= 1
