# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine would be in a cluster: a new node, the node itself, or a new machine under an old name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.arrival import Arrival, plan_arrival

from tests.support import nodes

from .test_departure import server


def machine(*addresses: str, datastore: str = "", active: str = "inactive", password: bool = False) -> dict[str, Any]:
    k3s = {"datastore": datastore, "service": {"active": active}, "node_password": password}
    return {"host": {"addresses": list(addresses or ("10.0.0.3",))}, "k3s": k3s}


def pi3(*, ready: bool = True) -> dict[str, Any]:
    live = nodes.node("pi3", ready=ready)
    live["status"]["addresses"] = [{"type": "InternalIP", "address": "10.0.0.3"}]
    return live


def arrival(look: dict[str, Any], *live: dict[str, Any], joins_etcd: bool = False) -> Arrival:
    return plan_arrival("pi3", look, live, joins_etcd=joins_etcd)


@pytest.mark.parametrize(
    ("look", "member"),
    [
        (machine(datastore="etcd"), True),
        (machine(active="active"), True),
        (machine(password=True), True),
        (machine(), False),
    ],
)
def test_a_machine_that_knows_its_past_is_the_node(look: dict[str, Any], member: bool) -> None:
    assert arrival(look, pi3()) == Arrival(member=member, stale=not member)


def test_a_name_that_nobody_has_is_free() -> None:
    assert arrival(machine(), server("pi1")) == Arrival()


def test_a_name_of_a_living_machine_elsewhere_is_refused() -> None:
    told = arrival(machine("10.0.0.9", "10.1.0.9"), pi3()).problems
    assert told == (
        "a node named pi3 is alive in the cluster at 10.0.0.3, and this machine is at 10.0.0.9, 10.1.0.9: two machines"
        " have one name; give one of them another name",
    )
    assert arrival(machine("10.0.0.9"), pi3(ready=False)).problems == (), "a dead one may have moved"


def test_a_server_cannot_join_one_that_has_its_data_in_sqlite() -> None:
    assert "run hearth.cluster.site" in arrival(machine(), server("pi1", voter=None), joins_etcd=True).problems[0]
    assert arrival(machine(), server("pi1", voter=None), joins_etcd=False).problems == ()
    assert arrival(machine(), server("pi1"), joins_etcd=True).problems == ()
