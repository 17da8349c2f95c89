# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for of backups, and would lose one or a part of one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.backup_wishes import backup_wish_problems


def problems(*names: str, keep: Any = 10) -> list[str]:
    return backup_wish_problems([{"name": name} for name in names], {"backup_keep": keep})


def test_dumps_of_different_names_are_kept() -> None:
    assert problems("postgresql", "My_SQL-5.7", keep="1") == []


@pytest.mark.parametrize("keep", [0, -1, "0"])
def test_no_backup_at_all_is_not_what_anybody_wants(keep: Any) -> None:
    assert problems(keep=keep) == [f"backup_keep is {keep}, and no backup would be kept: set it to 1 or more"]


def test_two_dumps_of_one_name_would_be_one() -> None:
    (problem,) = problems("db", "mail", "db")
    assert "2 commands of the name db" in problem


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "db\n"])
def test_a_name_that_cannot_be_that_of_a_file_is_refused(name: str) -> None:
    (problem,) = problems(name)
    assert repr(name) in problem
