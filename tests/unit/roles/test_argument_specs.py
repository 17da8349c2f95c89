# SPDX-License-Identifier: GPL-3.0-or-later
"""A role's contract is its argument specification: it names every default, with its value, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def load(role: str, name: str) -> Any:
    return yaml.safe_load((ROLES / role / name).read_text()) or {}


@pytest.mark.parametrize("role", NAMES)
def test_defaults_and_specification_agree_in_keys_and_values(role: str) -> None:
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    documented = {name: option.get("default") for name, option in options.items() if not option.get("required")}
    assert load(role, "defaults/main.yml") == {name: value for name, value in documented.items() if value is not None}


@pytest.mark.parametrize("role", NAMES)
def test_every_entry_point_is_a_task_file_and_has_the_same_options(role: str) -> None:
    points = load(role, "meta/argument_specs.yml")["argument_specs"]
    assert all((ROLES / role / "tasks" / f"{point}.yml").is_file() for point in points)
    assert all(point["options"] == points["main"]["options"] for point in points.values())


@pytest.mark.parametrize("role", NAMES)
def test_every_parameter_carries_the_roles_name(role: str) -> None:
    options = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [name for name in options if not name.startswith((f"{role}_", "hearth_", "k3s_"))] == []
