# SPDX-License-Identifier: GPL-3.0-or-later
"""What one machine's k3s is to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.formation import formation
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import Machine
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.node_plan import (
    LONGEST_JOIN,
    NodePlan,
    Wishes,
    plan_node,
    service_need,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.machines import (
    ANOTHER_CLUSTER,
    ONE_CLUSTER,
    agent,
    asleep,
    blank,
    member,
    node,
)

THREE = ("pi1", "pi2", "pi3")


def plan(name: str, machines: Sequence[Machine], servers: Sequence[str] = THREE, **wishes: Any) -> NodePlan:
    wanted = Wishes(**wishes)
    formed = formation(servers, machines, external=bool(wanted.datastore_endpoint))
    me = next(machine for machine in machines if machine.name == name)
    return plan_node(me, servers, machines, formed, wanted)


BLANK = [blank(name) for name in THREE]


def test_the_founder_of_three_initialises_etcd_with_a_new_token() -> None:
    planned = plan("pi1", BLANK)
    assert planned.config["cluster-init"] is True
    assert "server" not in planned.config
    assert planned.token_from == "new"
    assert planned.waits_for_etcd


def test_a_node_that_a_playbook_left_out_of_service_returns() -> None:
    nodes = (node("pi1"), replace(node("pi2"), out_of_service=True))
    machines = [member("pi1", nodes=nodes), member("pi2", nodes=nodes), member("pi3")]
    assert {name: plan(name, machines).returns for name in THREE} == {"pi1": False, "pi2": True, "pi3": False}


def test_one_server_alone_needs_neither_etcd_nor_another_server() -> None:
    planned = plan("pi1", [blank("pi1")], ["pi1"])
    assert planned.config.keys() & {"cluster-init", "server"} == set()
    assert not planned.waits_for_etcd


def test_a_joining_server_takes_address_and_token_from_a_live_one() -> None:
    planned = plan("pi1", [blank("pi1"), member("pi2"), member("pi3")])
    assert planned.config["server"] == "https://10.0.0.2:6443"
    assert planned.token_from == "pi2"
    assert not planned.problems


def test_an_agent_joins_a_live_server() -> None:
    planned = plan("pi4", [member("pi1"), blank("pi4", role="agent")])
    assert planned.config["server"] == "https://10.0.0.1:6443"
    assert planned.token_from == "pi1"
    assert "tls-san" not in planned.config


def test_a_fixed_address_of_the_cluster_is_joined_and_certified() -> None:
    url = "https://cluster.home:6443"
    machines = [member("pi1"), blank("pi2")]
    assert plan("pi2", machines, server_url=url).config["server"] == url
    assert plan("pi1", machines, server_url=url).config["tls-san"] == ["10.0.0.1", "cluster.home"]


@pytest.mark.parametrize("name", THREE)
def test_a_member_keeps_its_configuration_whoever_is_live(name: str) -> None:
    everybody = [member(one) for one in THREE]
    without_first = [asleep("pi1"), member("pi2"), member("pi3")]
    assert plan(name, everybody).config == plan(name, without_first).config


def test_an_agent_that_runs_keeps_the_server_it_was_given_though_that_one_is_dead() -> None:
    planned = plan("pi4", [blank("pi1"), member("pi2"), agent("pi4")])
    assert planned.config["server"] == "https://10.0.0.1:6443"


def test_an_agent_that_does_not_run_is_led_to_a_server_that_does() -> None:
    planned = plan("pi4", [blank("pi1"), member("pi2"), agent("pi4", running=False)])
    assert planned.config["server"] == "https://10.0.0.2:6443"


def test_an_agent_that_does_not_run_is_led_away_from_a_server_that_left_the_inventory() -> None:
    strayed = agent("pi4", configured_server="https://10.0.0.9:6443", running=False)
    assert plan("pi4", [member("pi2"), strayed], ["pi2"]).config["server"] == "https://10.0.0.2:6443"


@pytest.mark.parametrize("name", ["pi2", "pi3"])
def test_a_member_keeps_its_configuration_while_the_first_server_does_not_answer(name: str) -> None:
    everybody = [member(one) for one in THREE]
    assert plan(name, everybody).config == plan(name, everybody[1:]).config


@pytest.mark.parametrize("name", ["pi1", "pi2"])
def test_a_server_that_was_removed_joins_one_that_is_live(name: str) -> None:
    nodes = tuple(node(each) for each in ("pi3", "pi4"))
    removed = [asleep("pi1", running=True), asleep("pi2", running=True)]  # k3s runs, without its etcd
    planned = plan(name, [*removed, member("pi3", nodes=nodes)])
    assert planned.config["server"] == "https://10.0.0.3:6443"
    assert "cluster-init" not in planned.config


def test_a_server_whose_node_is_there_keeps_its_configuration_while_it_sleeps() -> None:
    nodes = tuple(node(each) for each in THREE)
    planned = plan("pi1", [asleep("pi1"), member("pi2", nodes=nodes), member("pi3", nodes=nodes)])
    assert planned.config["cluster-init"] is True


def test_sqlite_becomes_etcd_when_servers_are_added() -> None:
    planned = plan("pi1", [member("pi1", datastore="sqlite"), blank("pi2"), blank("pi3")])
    assert planned.config["cluster-init"] is True


def test_nothing_is_joined_before_there_is_something_to_join() -> None:
    planned = plan("pi1", [blank("pi1"), asleep("pi2"), asleep("pi3")])
    assert "pi2 and pi3 holds the cluster's data" in planned.problems[0]


def test_the_token_of_the_inventory_spares_a_look_at_a_server() -> None:
    machines = [member("pi1"), agent("pi4", token_file=False, running=False)]
    assert plan("pi4", machines, token_given=True).token_from == "given"


def test_a_token_of_another_cluster_is_replaced() -> None:
    machines = [member("pi1"), agent("pi4", token_cluster=ANOTHER_CLUSTER, running=False)]
    assert plan("pi4", machines).token_from == "pi1"


@pytest.mark.parametrize("token_cluster", ["", ONE_CLUSTER])
def test_a_right_token_is_left_alone(token_cluster: str) -> None:
    assert plan("pi4", [member("pi1"), agent("pi4", token_cluster=token_cluster)]).token_from == ""


def test_a_database_elsewhere_is_secret_and_needs_no_join() -> None:
    endpoint = "postgres://k3s:hidden@db/k3s"
    planned = plan("pi2", [member("pi1", datastore=""), blank("pi2")], datastore_endpoint=endpoint)
    assert planned.secret_config == {"datastore-endpoint": endpoint}
    assert planned.config.keys() & {"server", "cluster-init", "datastore-endpoint"} == set()
    assert "hidden" not in repr(planned)
    assert "hidden" not in str(planned.as_dict())
    assert planned.token_from == "pi1"


NODES = (node("pi1"), node("pi2"), node("pi3"))


def test_a_wiped_server_has_its_old_node_removed_through_a_live_one() -> None:
    planned = plan("pi1", [blank("pi1"), member("pi2", nodes=NODES), member("pi3", nodes=NODES)])
    assert planned.replaces_node
    assert planned.via == "pi2"
    assert not planned.problems


def test_a_wiped_server_whose_node_is_gone_just_joins() -> None:
    others = (node("pi2"), node("pi3"))
    assert not plan("pi1", [blank("pi1"), member("pi2", nodes=others), member("pi3")]).replaces_node


def test_no_member_leaves_etcd_while_another_one_is_ill() -> None:
    nodes = (node("pi1", ready=False), node("pi2"), node("pi3", ready=False))
    planned = plan("pi1", [blank("pi1"), member("pi2", nodes=nodes), asleep("pi3")])
    assert "mend pi3 first" in planned.problems[0]


def test_a_wiped_agent_needs_no_healthy_etcd() -> None:
    nodes = (node("pi1"), node("pi2", voter=False), node("pi4", voter=None))
    planned = plan("pi4", [member("pi1", nodes=nodes), blank("pi4", role="agent")])
    assert planned.replaces_node
    assert not planned.problems


def test_an_agent_with_its_password_keeps_its_node() -> None:
    nodes = (node("pi1"), node("pi4", voter=None))
    assert not plan("pi4", [member("pi1", nodes=nodes), agent("pi4", running=False)]).replaces_node


def test_a_living_node_of_the_same_name_elsewhere_is_never_removed() -> None:
    nodes = (node("pi1"), node("pi4", voter=None))
    stranger = blank("pi4", role="agent", addresses=("10.0.0.99",))
    assert "two machines have one host name" in plan("pi4", [member("pi1", nodes=nodes), stranger]).problems[0]


def probe(**service: Any) -> dict[str, Any]:
    usual = {"active": "active", "started_at": 1000.0, "running_for": LONGEST_JOIN + 1, "enabled": True}
    return {"service": {**usual, **service}, "binary": {"modified_at": 900.0}}


@pytest.mark.parametrize(
    ("k3s", "changed", "newest", "need"),
    [
        (probe(), False, 950.0, ""),
        (probe(), False, None, ""),
        (probe(), True, 950.0, "restarted"),
        (probe(), False, 1001.0, "restarted"),  # a run was cut short between the write and the restart
        ({**probe(), "binary": {"modified_at": 1001.0}}, False, 950.0, "restarted"),
        (probe(active="inactive", started_at=None), True, 950.0, "started"),
        (probe(active="activating"), False, 950.0, "started"),  # watched until it is ready
        (probe(enabled=False), False, 950.0, "started"),
    ],
)
def test_k3s_is_restarted_only_for_what_it_has_not_read(
    k3s: dict[str, Any], changed: bool, newest: float | None, need: str
) -> None:
    assert service_need(k3s, changed=changed, newest=newest) == need


def test_k3s_that_runs_is_waited_for_until_its_node_is_back() -> None:
    assert service_need(probe(), changed=False, newest=950.0, is_back=False) == "started"
    assert service_need(probe(), changed=True, newest=950.0, is_back=False) == "restarted"


@pytest.mark.parametrize(
    ("active", "need"), [("active", "restarted"), ("activating", "restarted"), ("inactive", "started")]
)
def test_k3s_that_runs_without_its_node_object_is_restarted(active: str, need: str) -> None:
    assert service_need(probe(active=active), changed=False, newest=950.0, is_back=False, is_gone=True) == need


@pytest.mark.parametrize("running_for", [10.0, None])
def test_k3s_that_may_still_be_joining_is_waited_for(running_for: float | None) -> None:
    joining = probe(active="activating", running_for=running_for)
    assert service_need(joining, changed=False, newest=950.0, is_back=False, is_gone=True) == "started"
