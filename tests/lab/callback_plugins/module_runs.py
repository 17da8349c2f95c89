# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes one line of JSON for every module that Ansible really executes and for every change, and the recap at the end.

A task is not a module run: an action plugin may execute none (``set_fact``) or several (``copy`` runs ``stat``
first). The count is taken where all of them pass, ``ActionBase._execute_module``. It runs in forked workers, hence
the file, which is opened for appending.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_runs
type: aggregate
short_description: Counts the module executions of a run
description:
  - Appends one JSON object per executed module, one per task that changed a host, and a last one with the recap.
  - A module is counted for the host on which it runs, also where a task is delegated.
  - E(HEARTH_MODULE_RUNS) names the file.
requirements:
  - E(HEARTH_MODULE_RUNS) in the environment
"""

execute_module = ActionBase._execute_module


def append(entry: dict[str, Any]) -> None:
    with Path(os.environ["HEARTH_MODULE_RUNS"]).open("a", encoding="utf-8") as record:
        record.write(json.dumps(entry) + "\n")


def counted(self: ActionBase, *args: Any, **kwargs: Any) -> Any:
    name = kwargs.get("module_name") or (args[0] if args else None) or self._task.action
    variables = kwargs.get("task_vars") or {}
    append(
        {
            "host": self._task.delegate_to or variables.get("inventory_hostname", "?"),
            "module": name,
            "task": self._task.get_name(),
            "path": str(self._task.get_path()),
        }
    )
    return execute_module(self, *args, **kwargs)


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships without types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "module_runs"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        ActionBase._execute_module = counted

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.is_changed():
            append({"change": f"{result.host.get_name()}: {result.task.get_name()}"})

    def v2_playbook_on_stats(self, stats: Any) -> None:
        append({"recap": {host: stats.summarize(host) for host in sorted(stats.processed)}})
