# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between commands, as files that vanish when they are given back or when their holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TextIO


@contextmanager
def exclusive(path: Path, waiting: AbstractContextManager[object] | None = None) -> Iterator[None]:
    """Hold the lock; while another has it, wait inside ``waiting``, which may tell a person so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _take(path, waiting or nullcontext())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()


def _take(path: Path, waiting: AbstractContextManager[object]) -> TextIO:
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with waiting:
            fcntl.flock(handle, fcntl.LOCK_EX)
            while not _is_file(handle, path):
                handle.close()
                handle = path.open("a")
                fcntl.flock(handle, fcntl.LOCK_EX)
        return handle
    return handle if _is_file(handle, path) else _take(path, waiting)


def _is_file(handle: TextIO, path: Path) -> bool:
    """The former holder removed its file when it was done: a lock on that one is worth nothing."""
    try:
        return os.fstat(handle.fileno()).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
