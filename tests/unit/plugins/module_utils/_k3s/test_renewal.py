# SPDX-License-Identifier: GPL-3.0-or-later
"""New certificates as a value: which machine restarts first, and what must be mended before any does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.renewal import Renewal, plan_renewal
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.records import (
    node,
    record,
    three_servers,
    with_node,
)

NAMES = ("pi1", "pi2", "pi3")


ALL = (*NAMES, "pi4")


def plan(records: list[dict[str, Any]], *renewed: str, here: tuple[str, ...] = ALL) -> Renewal:
    return plan_renewal(records, ALL, renewed or NAMES, here)


def stopped(records: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    for each in records:
        if each["name"] in names:
            each["probe"]["k3s"] |= {"service": {"active": "inactive"}, "api": {"ready": False, "nodes": []}}
    return records


def with_agent(**differences: Any) -> list[dict[str, Any]]:
    nodes = [*(node(name) for name in NAMES), node("pi4", etcd_voter=None, **differences)]
    return [record("pi4", role="agent"), *(record(name, nodes=nodes) for name in NAMES)]


def test_servers_come_before_agents() -> None:
    assert plan(with_agent(), "pi4", "pi2", "pi1").as_dict() == {
        "order": ["pi1", "pi2", "pi4"],
        "problems": [],
        "says": plan(with_agent(), "pi1", "pi2", "pi4").as_dict()["says"],
    }


def test_a_server_that_a_killed_run_has_stopped_comes_first() -> None:
    assert plan(stopped(three_servers(), "pi3")) == Renewal(("pi3", "pi1", "pi2"))


def test_machines_that_this_run_cannot_restart_are_known_and_left_alone() -> None:
    assert plan(three_servers(), here=("pi2",)) == Renewal(("pi2",))
    assert "mend it first" in plan(stopped(three_servers(), "pi3"), here=("pi2",)).problems[0], "it cannot come first"


def test_a_run_in_which_nobody_can_restart_is_refused() -> None:
    (problem,) = plan(three_servers(), "pi2", here=("pi3",)).problems
    assert problem.startswith("pi2 takes no part in this run")
    assert "--limit" in problem


def test_an_agent_that_ails_keeps_nobody() -> None:
    assert plan(with_agent(ready=False)).problems == ()


@pytest.mark.parametrize(
    ("records", "renewed", "words"),
    [
        (three_servers(), ["pi9"], ["pi9 is no machine of the cluster", "pi1, pi2, pi3, pi4"]),
        (stopped(three_servers(), "pi2"), ["pi1"], ["pi2 runs no k3s", "mend it first"]),
        (with_node(three_servers(), "pi2", etcd_voter=False), ["pi1"], ["pi2 is not a voting member of etcd"]),
        ([record("pi1", nodes=[node("pi1"), node("pi8", ready=False)])], ["pi1"], ["pi8 is not Ready"]),
    ],
)
def test_what_must_be_mended_first(records: list[dict[str, Any]], renewed: list[str], words: list[str]) -> None:
    (problem,) = plan(records, *renewed).problems
    assert all(word in problem for word in words)


def test_two_servers_that_ail_are_too_many() -> None:
    assert len(plan(stopped(three_servers(), "pi2", "pi3")).problems) == 2
