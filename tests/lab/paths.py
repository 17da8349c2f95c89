# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps things.

Three kinds of places: the cache (dear to make, shared by every checkout), an instance's own directory (disks and keys
of its machines, on a real file system because containerd lays overlays on top of it), and run-time state that must not
outlive a boot of the host.
"""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME_ROOT = Path("/run/hearth-lab")


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hearth"


def instance_directory(instance: str) -> Path:
    """Disks, keys and logs of one lab instance. ``HEARTH_LAB_DISKS`` moves them, perhaps into memory."""
    base = os.environ.get("HEARTH_LAB_DISKS")
    return (Path(base) if base else cache_directory() / "lab") / instance


def runtime_directory(instance: str) -> Path:
    """Process ids and locks of one lab instance."""
    return RUNTIME_ROOT / instance
