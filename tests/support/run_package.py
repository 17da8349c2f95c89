# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one package in a process of its own, to be killed: what to run comes as JSON, progress goes to stdout."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from tests.support.operator import Operator


def main() -> None:
    wanted = json.load(sys.stdin)
    operator = Operator(Path(wanted["kubeconfig"]))
    operator.installer = replace(operator.installer, report=lambda line: print(line, flush=True))
    outcome = operator.apply(wanted["name"], *wanted["objects"])
    print(f"ended, changed={outcome.plan.changed}", flush=True)


if __name__ == "__main__":
    main()
