# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.bench [site] [package] [lifecycle]``: measure, print the table, write ``build/bench.json``; exit 1
when a budget is exceeded.
"""

from __future__ import annotations

import sys

from tests.bench import lifecycle, package, row, site
from tests.lab.paths import REPOSITORY

SUITES = {"site": site.measure, "package": package.measure, "lifecycle": lifecycle.measure}


def main() -> int:
    chosen = sys.argv[1:] or list(SUITES)
    unknown = sorted(set(chosen) - set(SUITES))
    if unknown:
        print(f"bench: there is no suite {', '.join(unknown)}; choose from {', '.join(SUITES)}", file=sys.stderr)
        return 2
    rows = []
    print(row.HEADING, flush=True)
    for measured in (measured for name in chosen for measured in SUITES[name]()):
        rows.append(measured)
        print(row.line(measured), flush=True)
    row.write(rows, REPOSITORY / "build" / "bench.json")
    return 0 if all(measured.kept for measured in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
