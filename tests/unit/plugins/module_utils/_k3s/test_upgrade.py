# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade as a value: its order, what it does to each machine, and what stands in its way."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.upgrade import (
    Binary,
    Upgrade,
    Wishes,
    plan_upgrade,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.records import (
    GIB,
    NEW,
    OLD,
    node,
    record,
    three_servers,
    with_node,
)

NAMES = ["pi1", "pi2", "pi3"]
BINARIES = {"aarch64": Binary("new", 80 * 2**20)}


def plan(records: list[dict[str, Any]], names: list[str] | None = None, **wishes: Any) -> Upgrade:
    return plan_upgrade(records, names or [one["name"] for one in records], Wishes(NEW, BINARIES, **wishes))


def order(upgrade: Upgrade) -> list[str]:
    return [step.name for step in upgrade.steps]


def test_servers_come_before_agents_in_the_order_of_the_inventory() -> None:
    records = [record("pi0", role="agent"), *three_servers()]
    records[1]["probe"]["k3s"]["api"]["nodes"].append(node("pi0", etcd_voter=None))
    upgrade = plan(records)
    assert order(upgrade) == ["pi1", "pi2", "pi3", "pi0"]
    assert upgrade.problems == ()
    assert upgrade.snapshot_on == "pi1"


def test_an_agent_that_was_only_taken_out_does_not_overtake_the_servers() -> None:
    records = [*three_servers(), record("pi4", role="agent")]
    for each in records[:3]:
        each["probe"]["k3s"]["api"]["nodes"].append(
            node("pi4", etcd_voter=None, schedulable=False, out_of_service=True)
        )
    upgrade = plan(records)
    assert order(upgrade) == ["pi1", "pi2", "pi3", "pi4"]
    assert upgrade.unfinished == ()
    assert upgrade.steps[-1].returns


def test_the_only_server_is_finished_though_nobody_can_be_asked_about_the_agents() -> None:
    down = {"service": {"active": "failed", "enabled": True, "started_at": None}, "api": {"ready": False, "nodes": []}}
    records = [record("pi1", NEW, datastore="sqlite", **down), record("pi2", role="agent")]
    upgrade = plan(records)
    assert (upgrade.problems, upgrade.unfinished, upgrade.api_answers) == ((), ("pi1",), False)
    assert order(upgrade) == ["pi1", "pi2"]
    assert (upgrade.steps[0].evacuates, upgrade.steps[0].returns) == (False, True)


def test_what_runs_the_version_is_left_alone() -> None:
    upgrade = plan(three_servers(NEW, NEW, NEW))
    assert (upgrade.steps, upgrade.snapshot_on, upgrade.problems) == ((), "", ())
    assert upgrade.says() == [f"All machines run k3s {NEW}; there is nothing to do"]


def test_a_run_that_was_cut_short_between_two_machines_goes_on() -> None:
    upgrade = plan(three_servers(NEW, OLD, OLD))
    assert order(upgrade) == ["pi2", "pi3"]
    assert (upgrade.unfinished, upgrade.snapshot_on) == ((), "")


def test_a_machine_with_the_new_binary_and_the_old_process_comes_first() -> None:
    records = three_servers(NEW, OLD, OLD)
    records[2]["probe"]["k3s"]["binary"] = {"sha256": "new", "modified_at": 3000.0, "version": ""}
    upgrade = plan(records)
    assert order(upgrade) == ["pi3", "pi2"]
    assert upgrade.unfinished == ("pi3",)


def test_a_node_that_a_killed_run_took_out_is_brought_back_and_not_evacuated_again() -> None:
    records = with_node(three_servers(NEW, NEW, NEW), "pi2", schedulable=False, out_of_service=True)
    (step,) = plan(records).steps
    assert (step.name, step.evacuates, step.returns) == ("pi2", False, True)


def test_a_node_that_somebody_cordoned_stays_cordoned() -> None:
    step = plan(with_node(three_servers(), "pi2", schedulable=False)).steps[1]
    assert (step.name, step.evacuates, step.returns) == ("pi2", False, False)


@pytest.mark.parametrize(
    ("running", "evacuate", "evacuates"),
    [
        (OLD, "minor", True),
        (OLD, "never", False),
        ("v1.36.2+k3s1", "minor", False),
        ("v1.36.2+k3s1", "always", True),
    ],
)
def test_nodes_are_evacuated_where_the_minor_changes_or_as_one_wishes(
    running: str, evacuate: str, evacuates: bool
) -> None:
    upgrade = plan(three_servers(running, running, running), evacuate=evacuate)
    assert {(step.evacuates, step.returns) for step in upgrade.steps} == {(evacuates, evacuates)}


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"service": {"active": "failed", "enabled": True, "started_at": None}}, ["pi2", "service is failed"]),
        ({"api": {"ready": False, "nodes": []}}, ["pi2", "API server"]),
        ({"role": ""}, ["pi2", "no node of the cluster", "hearth.cluster.site"]),
    ],
)
def test_a_machine_that_ails_is_named_before_anything_begins(difference: dict[str, Any], words: list[str]) -> None:
    records = three_servers()
    records[1]["probe"]["k3s"].update(difference)
    (problem,) = plan(records).problems
    assert all(word in problem for word in words)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"ready": False, "ready_message": "PLEG"}, ["pi3 is not Ready (PLEG)"]),
        ({"etcd_voter": False, "etcd_message": "is a learner"}, ["pi3", "voting member", "is a learner"]),
        ({"name": "pi9", "ready": False}, ["pi9 is not Ready", "pi3 has no node"]),
    ],
)
def test_a_node_that_ails_is_named_too(difference: dict[str, Any], words: list[str]) -> None:
    problems = "\n".join(plan(with_node(three_servers(), "pi3", **difference)).problems)
    assert all(word in problems for word in words)


def test_a_machine_that_does_not_answer_is_named() -> None:
    (problem,) = plan(three_servers()[:2], NAMES).problems
    assert problem.startswith("pi3 does not answer")


def test_the_one_that_an_earlier_run_left_half_way_may_ail() -> None:
    records = three_servers(NEW, NEW, OLD)
    records[1]["probe"]["k3s"].update(
        service={"active": "activating", "enabled": True, "started_at": None}, api={"ready": False, "nodes": []}
    )
    upgrade = plan(records)
    assert (upgrade.problems, upgrade.unfinished, order(upgrade)) == ((), ("pi2",), ["pi2", "pi3"])
    assert not upgrade.steps[0].evacuates, "its kubelet would end no pod"


def test_beside_it_no_other_may_ail() -> None:
    records = three_servers(NEW, NEW, OLD)
    records[1]["probe"]["k3s"].update(service={"active": "activating", "enabled": True, "started_at": None})
    records[2]["probe"]["k3s"].update(service={"active": "failed", "enabled": True, "started_at": None})
    assert [problem[:3] for problem in plan(records).problems] == ["pi2", "pi3"]


def test_a_full_disk_is_named_with_what_it_needs() -> None:
    records = three_servers()
    records[0]["probe"]["k3s"]["room"] = {
        "binary": {"path": "/usr/local/bin", "device": 1, "free": GIB},
        "data": {"path": "/mnt/k3s", "device": 2, "free": 100 * 2**20},
    }
    (problem,) = plan(records).problems
    assert problem.startswith("pi1: /mnt/k3s has 100 MiB left, and k3s needs 320 MiB")


def test_places_on_one_file_system_share_its_room() -> None:
    records = three_servers()
    place = {"path": "/", "device": 1, "free": 400 * 2**20}
    records[0]["probe"]["k3s"]["room"] = {"binary": place, "data": place}
    (problem,) = plan(records).problems
    assert "needs 480 MiB" in problem


def test_room_is_not_asked_for_where_nothing_is_to_be_done() -> None:
    records = three_servers(NEW, OLD, OLD)
    empty = {"path": "/", "device": 1, "free": 0}
    records[0]["probe"]["k3s"]["room"] = {"binary": empty, "data": empty}
    assert plan(records).problems == ()


def test_sqlite_is_not_saved_and_the_way_to_do_it_is_told() -> None:
    upgrade = plan([record("pi1", nodes=[node("pi1", etcd_voter=None)], datastore="sqlite")])
    assert upgrade.snapshot_on == ""
    assert any("SQLite" in line and "hearth.cluster.backup" in line for line in upgrade.says())


def test_it_says_before_it_begins_what_it_will_do() -> None:
    first, snapshot, *steps = plan(three_servers()).says()
    assert first == f"k3s {NEW} goes to pi1, pi2 and pi3, in this order"
    assert "pi1 saves a snapshot" in snapshot
    assert [line.partition(":")[0] for line in steps] == [f"pi{number} (server) from {OLD}" for number in (1, 2, 3)]
