# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions machines may be brought to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.skew import version_problems
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.records import (
    NEW,
    OLD,
    node,
    record,
    three_servers,
)

ALL = ("pi1", "pi2", "pi3", "pi4")


@pytest.mark.parametrize(
    "running",
    [(OLD, OLD, OLD), (NEW, OLD, OLD), (NEW, NEW, NEW), ("v1.36.3-rc1+k3s1", OLD, OLD), ("v1.36.2+k3s1",) * 3],
)
def test_to_the_next_minor_or_a_later_patch_is_the_way(running: tuple[str, ...]) -> None:
    assert version_problems(three_servers(*running), NEW, ALL) == []


@pytest.mark.parametrize("target", [OLD, "v1.36.2+k3s9", "v1.36.3-rc1+k3s1"])
def test_there_is_no_way_back(target: str) -> None:
    (problem,) = version_problems(three_servers(NEW, OLD, NEW), target, ALL)
    assert all(word in problem for word in ("pi1 and pi3 run", target, NEW, "k3s_version"))


def test_the_data_of_an_older_version_are_the_way_back() -> None:
    records = three_servers(NEW, OLD, "v1.34.9+k3s1")
    assert version_problems(records, OLD, ALL, may_go_back=True) == []
    (problem,) = version_problems(records, NEW, ALL, may_go_back=True)
    assert "skip" in problem


def test_a_minor_version_must_not_be_skipped() -> None:
    (problem,) = version_problems(three_servers("v1.34.9+k3s1", OLD, OLD), NEW, ALL)
    assert all(word in problem for word in ("pi1 runs v1.34.9+k3s1", "skip", "v1.35 first"))


def test_another_major_version_is_out_of_reach() -> None:
    (problem,) = version_problems(three_servers(), "v2.35.0+k3s1", ALL)
    assert "skip" in problem


@pytest.mark.parametrize(("minor", "many"), [("v1.33.1+k3s1", 0), ("v1.32.1+k3s1", 1)])
def test_an_agent_may_have_been_away_for_three_minor_versions(minor: str, many: int) -> None:
    records = [*three_servers(NEW, NEW, NEW), record("pi4", minor, role="agent")]
    assert len(version_problems(records, NEW, ALL)) == many


def test_no_node_may_be_ahead_of_servers_that_stay_as_they_are() -> None:
    records = [*three_servers(), record("pi4", "", role="agent", cluster="")]
    (problem,) = version_problems(records, NEW, ["pi4"])
    assert all(word in problem for word in ("pi1, pi2 and pi3", "leaves alone", "ahead of the servers"))
    assert version_problems(records, "v1.35.9+k3s1", ["pi4"]) == []


def test_a_server_must_not_join_those_that_are_newer() -> None:
    nodes = [node("pi1", NEW), node("pi2", NEW)]
    records = [record("pi1", NEW, nodes=nodes), record("pi2", NEW, nodes=nodes), record("pi3", "", cluster="")]
    (problem,) = version_problems(records, OLD, ["pi3"])
    assert "pi1 and pi2 run the newer" in problem


def test_an_agent_may_join_those_that_are_newer() -> None:
    records = [*three_servers(NEW, NEW, NEW), record("pi4", "", role="agent", cluster="")]
    assert version_problems(records, OLD, ["pi4"]) == []


STOPPED: list[tuple[dict[str, Any], list[Any]]] = [
    ({"binary": {"sha256": "x", "version": NEW}}, []),
    ({"binary": {"sha256": "x", "version": OLD}}, [node("pi3", NEW)]),
]


@pytest.mark.parametrize(("stopped", "nodes"), STOPPED)
def test_a_machine_that_does_not_run_is_known_by_its_node_or_its_binary(stopped: dict[str, Any], nodes: Any) -> None:
    records = [record("pi1", "", nodes=nodes), record("pi3", "", **stopped)]
    (problem,) = version_problems(records, OLD, ALL)
    assert "pi3 runs the newer" in problem


def test_a_binary_that_lies_on_a_machine_of_no_cluster_means_nothing() -> None:
    assert version_problems([record("pi1", "", cluster="", binary={"sha256": "x", "version": NEW})], OLD, ALL) == []


def test_what_is_no_version_is_told_elsewhere() -> None:
    assert version_problems(three_servers(), "latest", ALL) == []
