# SPDX-License-Identifier: GPL-3.0-or-later
"""The role hands everything to the module: no option of a run is out of reach from an inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._package.spec import RUN

ROOT = Path(__file__).parents[3]
OPTIONS = {*CONNECTION, *RUN} - {"progress_file"}  # the action plugin's own business


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def parameter(option: str) -> str:
    return "packages_list" if option == "packages" else f"packages_{option}"


def test_every_option_of_a_run_is_a_parameter_of_the_role() -> None:
    parameters = load("roles/packages/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {parameter(option) for option in OPTIONS} <= set(parameters)


def test_the_role_hands_each_of_them_to_the_module() -> None:
    tasks = load("roles/packages/tasks/main.yml")
    (given,) = (task["hearth.cluster.package"] for task in tasks if "hearth.cluster.package" in task)
    assert set(given) == OPTIONS
    assert all(parameter(option) in given[option] for option in OPTIONS)


def test_the_playbook_looks_at_what_it_is_told_to_look_at() -> None:
    (play,) = load("playbooks/packages.yml")
    (task,) = play["tasks"]
    assert "only" in task["vars"]["packages_only"]
    assert "hearth_packages" in task["vars"]["packages_list"]
