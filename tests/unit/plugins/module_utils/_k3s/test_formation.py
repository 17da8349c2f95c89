# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster there is, and who begins one."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.formation import formation
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import Machine
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.machines import (
    ANOTHER_CLUSTER,
    asleep,
    blank,
    member,
)
from hypothesis import given
from hypothesis import strategies as st

THREE = ["pi1", "pi2", "pi3"]


def test_on_blank_machines_the_first_of_the_inventory_begins_a_cluster() -> None:
    formed = formation(THREE, [blank(name) for name in THREE])
    assert (formed.founder, formed.live, formed.datastore) == ("pi1", (), "etcd")
    assert not formed.problems


def test_one_server_alone_keeps_its_data_in_sqlite() -> None:
    assert formation(["pi1"], [blank("pi1")]).datastore == "sqlite"


def test_one_server_alone_gets_etcd_if_asked_for() -> None:
    assert formation(["pi1"], [blank("pi1")], etcd=True).datastore == "etcd"


def test_a_live_server_wins_over_the_order_of_the_inventory() -> None:
    formed = formation(THREE, [blank("pi1"), member("pi2"), member("pi3")])
    assert formed.founder == ""
    assert formed.live == ("pi2", "pi3")


def test_a_server_with_data_wins_over_the_order_of_the_inventory() -> None:
    formed = formation(THREE, [blank("pi1"), asleep("pi2"), blank("pi3")])
    assert formed.founder == ""
    assert formed.asleep == ("pi2",)


def test_no_cluster_is_begun_while_a_silent_server_may_hold_one() -> None:
    formed = formation(THREE, [blank("pi2"), blank("pi3")])
    assert formed.founder == ""
    assert "pi1 did not answer and may hold one" in formed.problems[0]


def test_a_silent_server_does_not_stop_the_others_of_a_live_cluster() -> None:
    formed = formation(THREE, [member("pi2"), member("pi3")])
    assert not formed.problems
    assert "pi1 did not answer" in formed.warnings[0]


def test_no_answer_at_all_is_told_with_all_names() -> None:
    assert "pi1, pi2 and pi3" in formation(THREE, []).problems[0]


def test_an_inventory_without_servers_is_an_error() -> None:
    assert "no server" in formation([], []).problems[0]


@pytest.mark.parametrize("other", [member, asleep])
def test_two_clusters_are_an_error_and_never_joined(other: type[Machine]) -> None:
    formed = formation(["pi1", "pi2", "pi3"], [member("pi1"), other("pi2", cluster=ANOTHER_CLUSTER), blank("pi3")])
    assert "pi2" in formed.problems[0]
    assert "another cluster than pi1" in formed.problems[0]


def test_an_even_number_of_servers_is_worth_a_warning() -> None:
    assert any("odd number" in text for text in formation(["pi1", "pi2"], [member("pi1"), member("pi2")]).warnings)


def test_a_sqlite_server_that_gets_company_moves_to_etcd() -> None:
    formed = formation(THREE, [member("pi1", datastore="sqlite"), blank("pi2"), blank("pi3")])
    assert formed.datastore == "etcd"
    assert "pi1 has the cluster's data in SQLite" in formed.warnings[0]


def test_a_sqlite_server_that_stays_alone_is_not_spoken_of() -> None:
    assert formation(["pi1"], [member("pi1", datastore="sqlite")]).warnings == ()


def test_a_database_elsewhere_holds_the_data_of_every_server() -> None:
    assert formation(THREE, [blank(name) for name in THREE], external=True).datastore == "external"


@given(st.lists(st.sampled_from(["blank", "live", "asleep", "silent"]), min_size=1, max_size=5))
def test_a_cluster_is_begun_only_where_there_is_certainly_none(states: list[str]) -> None:
    names = [f"pi{number}" for number in range(1, len(states) + 1)]
    make = {"blank": blank, "live": member, "asleep": asleep}
    machines = [make[state](name) for name, state in zip(names, states, strict=True) if state in make]
    formed = formation(names, machines)
    assert bool(formed.founder) == (set(states) == {"blank"})


def test_the_order_of_live_servers_never_makes_a_founder() -> None:
    machines = [blank("pi1"), member("pi2"), asleep("pi3")]
    for order in itertools.permutations(THREE):
        assert formation(order, machines).founder == ""
