# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Runs a module and shows, while it runs, what it waits for.

A module can say something only when it ends. Some write lines of progress to a file, which is followed here.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ._preload import preload

preload()

_SECONDS_BETWEEN_LOOKS = 0.5


class FollowingAction(ActionBase):  # type: ignore[misc]  # ansible has no type hints
    """The action plugin of a module with the option progress_file."""

    module = ""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._connection.transport != "local" or self._task.no_log or arguments.get("progress_file"):
            return self._run_module(arguments, task_vars)
        with tempfile.NamedTemporaryFile(prefix="hearth-progress-") as file, _following(Path(file.name), _show):
            return self._run_module({**arguments, "progress_file": file.name}, task_vars)

    def _run_module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name=self.module, module_args=arguments, task_vars=task_vars
        )
        return result


def _show(line: str) -> None:
    Display().display(f"  {line}", color="bright gray")


@contextmanager
def _following(path: Path, show: Callable[[str], None]) -> Iterator[None]:
    """Show every line that is added to a file, until the end of the block."""
    ended = threading.Event()

    def follow() -> None:
        with path.open(encoding="utf-8", errors="replace") as file:
            rest = ""
            while True:
                is_last_look = ended.wait(_SECONDS_BETWEEN_LOOKS)
                *lines, rest = (rest + file.read()).split("\n")
                for line in lines:
                    show(line)
                if is_last_look:
                    return

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()
