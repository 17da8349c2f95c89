# SPDX-License-Identifier: GPL-3.0-or-later
"""Patching as a value: which machines, in which order, and why."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.patching import (
    Patch,
    Pending,
    in_window,
    plan_patch,
    plan_restarts,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.records import (
    three_servers,
    with_node,
)

NAMES = ("pi1", "pi2", "pi3")


def plan(records: list[dict[str, Any]], reboot: Any = "needed", **waiting: Pending) -> Patch:
    return plan_patch(records, NAMES, {name: waiting.get(name, Pending()) for name in NAMES}, reboot)


def test_machines_on_which_nothing_waits_are_left_alone() -> None:
    patch = plan(three_servers(), pi2=Pending(packages=("libc6",)))
    assert [(step.name, step.evacuates, step.returns) for step in patch.steps] == [("pi2", True, True)]
    assert plan(three_servers()).as_dict()["says"] == ["Nothing waits on any machine; there is nothing to do"]


@pytest.mark.parametrize(
    ("reboot", "reasons"),
    [
        ("needed", [("a new kernel",)]),
        ("always", [("asked for",), ("a new kernel", "asked for"), ("asked for",)]),
        ("never", []),
    ],
)
def test_machines_start_again_as_needed_or_as_one_wishes(reboot: str, reasons: list[tuple[str, ...]]) -> None:
    patch = plan(three_servers(), reboot, pi2=Pending(reasons=("a new kernel",)))
    assert [step.reasons for step in patch.steps] == reasons


def test_what_a_killed_run_left_out_of_service_comes_first_and_comes_back() -> None:
    records = with_node(three_servers(), "pi3", schedulable=False, out_of_service=True)
    patch = plan(records, pi1=Pending(packages=("vim",)))
    assert [(step.name, step.evacuates, step.returns) for step in patch.steps] == [
        ("pi3", False, True),
        ("pi1", True, True),
    ]
    assert patch.unfinished == ("pi3",)


def test_a_node_that_is_back_and_that_somebody_cordoned_since_stays_cordoned() -> None:
    records = with_node(three_servers(), "pi3", schedulable=False, out_of_service=True, is_back=True)
    (step,) = plan(records, pi3=Pending(("vim",), ())).steps
    assert (step.evacuates, step.returns) == (False, True)


def test_a_node_that_somebody_cordoned_stays_cordoned() -> None:
    (step,) = plan(with_node(three_servers(), "pi3", schedulable=False), pi3=Pending(packages=("vim",))).steps
    assert (step.evacuates, step.returns) == (False, False)


def test_nothing_is_begun_while_a_machine_ails() -> None:
    (problem,) = plan(with_node(three_servers(), "pi3", ready=False), pi1=Pending(packages=("vim",))).problems
    assert "pi3 is not Ready" in problem


def test_it_says_what_it_will_do_and_why() -> None:
    packages = tuple(f"lib{number}" for number in range(7))
    (line,) = plan(three_servers(), pi1=Pending(packages, ("a new kernel",))).as_dict()["says"]
    assert line == (
        "pi1: evacuated first, and brought back, upgrades lib0, lib1, lib2, lib3, lib4 and 2 more, "
        "restarts (a new kernel)"
    )


def restarts(records: list[dict[str, Any]], *names: str) -> Patch:
    return plan_restarts(records, NAMES, dict.fromkeys(names, ("new boot files",)))


def test_nodes_that_must_start_again_are_evacuated_and_brought_back() -> None:
    patch = restarts(three_servers(), "pi1", "pi3")
    assert patch.problems == ()
    assert [(step.name, step.evacuates, step.returns) for step in patch.steps] == [
        ("pi1", True, True),
        ("pi3", True, True),
    ]
    assert patch.as_dict()["says"][0] == "pi1: evacuated first, and brought back, restarts (new boot files)"
    assert restarts(three_servers()).steps == ()


def test_a_machine_that_ails_may_be_mended_by_its_restart_and_comes_first() -> None:
    patch = restarts(with_node(three_servers(), "pi3", ready=False), *NAMES)
    assert patch.problems == ()
    assert [(step.name, step.evacuates) for step in patch.steps] == [("pi3", False), ("pi1", True), ("pi2", True)]


def test_none_starts_again_while_another_one_ails() -> None:
    (problem,) = restarts(with_node(three_servers(), "pi3", ready=False), "pi1").problems
    assert "pi3 is not Ready" in problem


def test_a_cluster_that_does_not_answer_has_nothing_to_evacuate() -> None:
    records = three_servers()
    for record in records:
        record["probe"]["k3s"]["api"] = {"ready": False, "nodes": []}
    patch = restarts(records, "pi2")
    assert patch.problems == ()
    assert [(step.name, step.evacuates, step.returns) for step in patch.steps] == [("pi2", False, False)]


@pytest.mark.parametrize(
    ("window", "now", "is_open"),
    [
        ("", "12:00", True),
        ("02:00-05:00", "02:00", True),
        ("02:00-05:00", "04:59", True),
        ("02:00-05:00", "05:00", False),
        ("02:00-05:00", "01:59", False),
        ("22:00-05:00", "23:30", True),
        ("22:00-05:00", "03:00", True),
        ("22:00-05:00", "12:00", False),
    ],
)
def test_a_window_has_a_begin_and_an_end(window: str, now: str, is_open: bool) -> None:
    assert in_window(window, now) is is_open


@pytest.mark.parametrize("window", ["02:00", "2-5", "24:00-05:00", "02:00-05:60", "at night"])
def test_what_is_no_window_is_refused(window: str) -> None:
    with pytest.raises(InputError, match="02:00-05:00"):
        in_window(window, "03:00")
