# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which processes still use a library whose file was replaced."""

from __future__ import annotations

import re
from typing import Any

from .paths import Tree

_DELETED_LIBRARY = re.compile(r" (?:/usr)?/lib\S*\.so\S* \(deleted\)$", re.MULTILINE)
# Containers bring their own libraries; the processes of a person end when that person leaves.
_NOT_OF_THE_SYSTEM = ("kubepods", "user.slice")


def describe_libraries(tree: Tree) -> dict[str, Any]:
    """The names of these processes, and the reason for a restart that they are."""
    names = sorted({tree.text(f"/proc/{pid}/comm").strip() for pid in tree.names("/proc") if _is_outdated(tree, pid)})
    reasons = [f"libraries were replaced that are in use by {', '.join(names)}"] if names else []
    return {"outdated_in": names, "reboot_reasons": reasons}


def _is_outdated(tree: Tree, pid: str) -> bool:
    if not pid.isdigit() or any(word in tree.text(f"/proc/{pid}/cgroup") for word in _NOT_OF_THE_SYSTEM):
        return False
    return _DELETED_LIBRARY.search(tree.text(f"/proc/{pid}/maps")) is not None
