# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters about k3s put together."""

from __future__ import annotations

from ansible_collections.hearth.cluster.plugins.filter import k3s as filters
from ansible_collections.hearth.cluster.tests.unit.plugins.filter.records import server


def test_of_what_is_overwritten_neither_the_token_nor_a_second_cluster_matters() -> None:
    two_clusters = [server("pi1", token_changes=True), server("pi2", token_matches=False)]
    assert len(filters.k3s_problems(two_clusters, ["pi1", "pi2"], token=True)) == 3
    assert filters.k3s_problems(two_clusters, ["pi1", "pi2"], token=True, overwritten=True) == []


def test_what_keeps_k3s_from_a_machine_matters_also_where_all_is_overwritten() -> None:
    late = server("pi2")
    late["probe"]["host"]["time"] = {"offset": 3600.0}
    agent = server("pi1", installed_roles=["agent"])
    problems = filters.k3s_problems([agent, late], ["pi1", "pi2"], overwritten=True)
    assert all(word in problem for word, problem in zip(("wants server", "seconds ahead"), problems, strict=True))


def test_a_restore_that_was_cut_short_matters_to_all_but_a_restore() -> None:
    half_done = server("pi1", restore={"backup": "20261127T030000Z", "in_place": True})
    assert "is not over on pi1" in filters.k3s_problems([half_done], ["pi1"])[0]
    assert filters.k3s_problems([half_done], ["pi1"], restoring=True) == []
