# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules that talk to a cluster as Ansible runs them, on a cluster in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest
import yaml
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.doc_fragments._kube import ModuleDocFragment

ROOT = Path(__file__).parents[4]


class Killed(BaseException):
    """Stands for the end of the process: no clean-up of the code under test catches it."""


class Runner:
    """Calls a module and returns its answer; `always` are options of every call, `output` is all that it ever wrote."""

    def __init__(
        self,
        module: ModuleType,
        capsys: pytest.CaptureFixture[str],
        folder: Path,
        always: Mapping[str, Any],
    ) -> None:
        self._module, self._capsys, self._folder, self._always = module, capsys, folder, always
        self.output = ""

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        meant = {"_ansible_remote_tmp": str(self._folder), **self._always, **arguments}
        warnings._global_warnings.clear()  # Ansible keeps them per process, and a module has one of its own
        with patch_module_args(meant), pytest.raises(SystemExit):
            self._module.main()
        written = self._capsys.readouterr()
        self.output += written.out + written.err
        answer: dict[str, Any] = json.loads(written.out)
        return answer


class RunnerFor(Protocol):
    """The fixture of that name."""

    def __call__(self, module: ModuleType, **always: Any) -> Runner: ...


def assert_documented(module: ModuleType, options: dict[str, Any]) -> None:
    """Documentation and options agree, and the module is in the action group of its documentation."""
    own = yaml.safe_load(module.DOCUMENTATION).get("options", {})
    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    documented = {name: _typed(option) for name, option in {**fragment, **own}.items()}
    assert documented == {name: _typed(option) for name, option in options.items()}
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    assert module.__name__.rpartition(".")[2] in groups["kube"]


def _typed(option: dict[str, Any]) -> tuple[Any, ...]:
    keys = ("type", "elements", "default", "required")
    return (*(option.get(key) for key in keys), tuple(option.get("choices") or ()))
