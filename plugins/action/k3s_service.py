# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name in turns, and shows between them what the node still lacks.

A node may take minutes, and a module can say something only when it ends.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils._preload import preload

preload()

PATIENCE = 20  # seconds of one turn; longer than it takes to see that a cause does not heal


class ActionModule(ActionBase):
    """The action plugin of the module k3s_service."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        result = first = self._turn({**self._task.args, "patience": PATIENCE}, variables)
        while result.get("pending"):
            Display().display(f"  {variables['inventory_hostname']}: {result['waited']:.0f} s, {result['lacking']}")
            again = {"state": "watched", "since": result["since"], "patience": PATIENCE}
            result = self._turn({**self._task.args, **again}, variables)
        # What the first turn did counts for the whole.
        return {**result, "changed": bool(first.get("changed")), "done": first.get("done", [])}

    def _turn(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name="hearth.cluster.k3s_service", module_args=arguments, task_vars=variables
        )
        return result
