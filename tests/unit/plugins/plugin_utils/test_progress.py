# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress are shown while a module runs, each once and whole, the last ones too."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.action import object_patch, package
from ansible_collections.hearth.cluster.plugins.plugin_utils import _progress


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_progress, "_show", lines.append)
    monkeypatch.setattr(_progress, "_SECONDS_BETWEEN_LOOKS", 0.01)
    return lines


class Run:
    """An action plugin whose module writes lines into the file that it is given."""

    def __init__(self, plugin: type[Any], *, transport: str = "local", no_log: bool = False, **args: Any) -> None:
        self.plugin = plugin.__new__(plugin)
        self.plugin._task = SimpleNamespace(args=args, no_log=no_log)
        self.plugin._connection = SimpleNamespace(transport=transport)
        self.plugin._execute_module = self._execute
        self.given: dict[str, Any] = {}
        self.seen_while_running: list[str] = []

    def _execute(self, *, module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        self.given = {"module": module_name, **module_args}
        if "progress_file" in module_args:
            path = Path(module_args["progress_file"])
            assert path.stat().st_mode & 0o077 == 0
            with path.open("a", encoding="utf-8") as file:
                file.write("package blog: 1 of 2 objects ready\npackage blo")
                file.flush()
                time.sleep(0.2)
                self.seen_while_running = list(self.lines)
                file.write("g: 2 of 2 objects ready\n")
        return {"changed": True}

    def __call__(self, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        self.lines = lines
        monkeypatch.setattr(_progress.ActionBase, "run", lambda *_arguments, **_named: {})
        result: dict[str, Any] = self.plugin.run(task_vars={})
        return result


@pytest.mark.parametrize(
    ("action", "module"), [(package, "hearth.cluster.package"), (object_patch, "hearth.cluster.object_patch")]
)
def test_lines_are_shown_while_the_module_runs(
    shown: list[str], monkeypatch: pytest.MonkeyPatch, action: Any, module: str
) -> None:
    run = Run(action.ActionModule, name="blog")
    assert run(shown, monkeypatch) == {"changed": True}
    assert (run.given["module"], run.given["name"]) == (module, "blog")
    assert run.seen_while_running == ["package blog: 1 of 2 objects ready"]
    assert shown == ["package blog: 1 of 2 objects ready", "package blog: 2 of 2 objects ready"]
    assert not Path(run.given["progress_file"]).exists()


@pytest.mark.parametrize("options", [{"transport": "ssh"}, {"no_log": True}])
def test_nothing_is_followed_elsewhere_or_where_nothing_may_be_shown(
    shown: list[str], monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    run = Run(package.ActionModule, name="blog", **options)
    run(shown, monkeypatch)
    assert "progress_file" not in run.given
    assert shown == []


def test_a_file_of_the_callers_own_is_left_to_the_caller(
    shown: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "progress"
    path.touch(mode=0o600)
    Run(package.ActionModule, progress_file=str(path))(shown, monkeypatch)
    assert shown == []
    assert "2 of 2 objects ready" in path.read_text()
