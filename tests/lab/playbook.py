# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-playbook`` as a person would, and keeps count of what it did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.paths import REPOSITORY

INVENTORY = REPOSITORY / "inventory" / "lab"
ANSIBLE_PLAYBOOK = str(Path(sys.prefix) / "bin" / "ansible-playbook")


@dataclass(frozen=True)
class Run:
    """One run: seconds, Ansible's exit status and text, its recap per host, (host, module) of every module that was
    executed, and "host: task" of every task that changed something.
    """

    seconds: float
    status: int
    output: str
    recap: Mapping[str, Mapping[str, int]]
    modules: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    task_files: frozenset[str]

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.recap.values())

    def module_runs(self, hosts: Iterable[str]) -> dict[str, int]:
        counts = Counter(host for host, _module in self.modules)
        return {host: counts[host] for host in hosts}


def environment(**extra: str) -> dict[str, str]:
    """The caller's, with the checkout's programs first and without what would colour or page the output."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        "ANSIBLE_VAULT_PASSWORD_FILE": str(INVENTORY / "vault-password.txt"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        **extra,
    }


def command(*arguments: str, inventory: Path = INVENTORY) -> list[str]:
    return [ANSIBLE_PLAYBOOK, "-i", str(inventory), *arguments]


def run(
    *arguments: str, inventory: Path = INVENTORY, directory: Path = REPOSITORY, show: bool = False, **extra: str
) -> Run:
    """``run("hearth.cluster.site", "--check")``.

    ``show`` passes the output on while it is kept; ``extra`` goes into the environment.
    """
    with tempfile.TemporaryDirectory(prefix="hearth-run-") as private:
        record = Path(private) / "modules.jsonl"
        record.touch()
        counting = environment(
            HEARTH_MODULE_RUNS=str(record),
            ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).with_name("callback_plugins")),
            ANSIBLE_CALLBACKS_ENABLED="module_runs",
            **extra,
        )
        started = time.monotonic()
        with subprocess.Popen(
            command(*arguments, inventory=inventory),
            cwd=directory,
            env=counting,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if show:
                    print(line, end="", flush=True)
        seconds = time.monotonic() - started
        entries: list[dict[str, Any]] = [json.loads(line) for line in record.read_text().splitlines()]
    return Run(
        seconds=seconds,
        status=process.returncode,
        output="".join(lines),
        recap=next((entry["recap"] for entry in entries if "recap" in entry), {}),
        modules=tuple((entry["host"], entry["module"]) for entry in entries if "module" in entry),
        changes=tuple(entry["change"] for entry in entries if "change" in entry),
        task_files=frozenset(entry["path"].rsplit(":", 1)[0] for entry in entries if "path" in entry),
    )
