# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user of the blog notices while nodes come, go and change: the figures of the end-to-end drills."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.bench import row
from tests.lab.paths import REPOSITORY

DRILLS = REPOSITORY / "build" / "lifecycle.json"


def measure() -> Iterator[row.Row]:
    DRILLS.unlink(missing_ok=True)
    tests = sorted(str(path) for path in (REPOSITORY / "tests" / "e2e").glob("test_lifecycle_*.py"))
    whole = {**os.environ, "HEARTH_WHOLE_RUNS": "yes"}
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=REPOSITORY, env=whole, check=False)
    if run.returncode != 0:
        raise SystemExit("bench: a drill failed; its figures mean nothing")
    yield from row.read(DRILLS)
