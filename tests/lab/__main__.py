# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.lab``: one dispatcher.

Each module named here brings its own sub-commands by ``add_commands(subparsers)``; a sub-command sets ``run``, which
takes the parsed arguments and returns nothing or an exit status.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from tests.lab import apiserver, builds, commands, releases
from tests.lab.errors import LabError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.lab", description="Machines and a Kubernetes on this box.")
    top.add_argument(
        "--lab",
        default=os.environ.get("HEARTH_LAB"),
        metavar="NAME",
        help="the instance (default: $HEARTH_LAB, hearth)",
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND")
    for module in (commands, builds, releases, apiserver):
        module.add_commands(subparsers)
    return top


def main(arguments: Sequence[str]) -> int:
    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:  # it has told its own reason on the terminal
        print(f"lab: {' '.join(map(str, error.cmd))}: exit status {error.returncode}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
