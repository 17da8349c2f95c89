# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes that Ansible forks inherit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[4] / "plugins"
COLLECTION = "ansible_collections.hearth.cluster.plugins"

# What a strategy does before it forks a process for a task.
FORESEE = f"""
import json, sys
from ansible.plugins.loader import action_loader, filter_loader, init_plugin_loader
init_plugin_loader([])
action_loader.get("hearth.cluster." + sys.argv[1], class_only=True)
loaded = {{name: module for name, module in sys.modules.items() if name.startswith("{COLLECTION}.")}}
filter_loader.get("hearth.cluster.misspelt")
again = [name for name, module in loaded.items() if sys.modules[name] is not module]
print(json.dumps([sorted(loaded), again]))
"""


@pytest.mark.parametrize("action", sorted(file.stem for file in (PLUGINS / "action").glob("*.py")))
def test_filters_and_lookups_are_there_before_the_fork(action: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORESEE, action], capture_output=True, text=True, check=True)
    loaded, again = json.loads(done.stdout)
    plugins = [file for kind in ("filter", "lookup") for file in (PLUGINS / kind).glob("*.py")]
    assert len(plugins) > 10
    assert {f"{COLLECTION}.{file.parent.name}.{file.stem}" for file in plugins} <= set(loaded)
    assert again == []
