# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which process this is, and whether another one is known to have ended."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from datetime import UTC, datetime
from pathlib import Path

from .turns import Runner


def this_runner() -> Runner:
    """This process, under a name like ``pi@laptop/KERNEL/1234/5f3c``: numbers of processes mean something on one kernel
    only, and there within one namespace of processes.
    """
    mark = secrets.token_hex(4)
    return Runner(
        name=f"{_user()}@{socket.gethostname()}/{_kernel()}/{os.getpid()}/{mark}",
        manager=f"hearth-turn-{mark}",
        stamp=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        is_gone=is_gone,
    )


def is_gone(name: str) -> bool:
    """Whether the process of such a name ran here and does so no more; false where that cannot be known."""
    parts = name.split("/")
    if len(parts) != 4 or not parts[1] or parts[1] != _kernel() or not parts[2].isdigit():
        return False
    try:
        os.kill(int(parts[2]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _kernel() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{boot}-{str(namespace).strip('pid:[]')}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return str(os.getuid())
