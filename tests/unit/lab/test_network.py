# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, subnets and addresses of a lab follow from its name and its machines' names."""

from __future__ import annotations

import pytest

from tests.lab.errors import LabError
from tests.lab.network import Network, no_table, ruleset


@pytest.mark.parametrize(
    ("node", "address"), [("pi1", "10.77.0.11"), ("pi12", "10.77.0.22"), ("rack-b200", "10.77.0.210")]
)
def test_the_number_of_a_machine_is_its_place_in_the_subnet(node: str, address: str) -> None:
    assert str(Network("hearth").address(node)) == address


@pytest.mark.parametrize("node", ["pi", "pi0", "pi201", "Pi1", "1", "pi1a", "", "-pi1", "pi 1"])
def test_a_name_without_a_usable_number_is_refused_by_name(node: str) -> None:
    with pytest.raises(LabError, match="such as pi1") as refusal:
        Network("hearth").address(node)
    assert repr(node) in str(refusal.value)


@pytest.mark.parametrize("instance", ["", "Hearth", "1st", "a_b", "a-name-too-long", "a/b"])
def test_an_instance_name_that_cannot_name_a_bridge_is_refused(instance: str) -> None:
    with pytest.raises(LabError, match="HEARTH_LAB"):
        Network(instance)


def test_other_instances_have_a_subnet_of_their_own() -> None:
    names = ["test", "molecule", "bench", "soak", "anna", "twelve-chars"]
    for network in map(Network, names):
        assert 78 <= network.subnet.network_address.packed[1] <= 99
        assert network.subnet == Network(network.instance).subnet
        assert len(network.bridge) <= 15
    assert len({Network(name).subnet for name in names}) > 1


def test_only_what_leaves_the_bridge_is_masqueraded_and_only_answers_come_in() -> None:
    rules = ruleset(Network("hearth"), "eth0")
    assert 'ip saddr 10.77.0.0/24 oifname != "br-hearth" masquerade' in rules
    assert 'iifname "eth0" oifname "br-hearth" ct state != { established, related } drop' in rules
    assert rules.count("{") == rules.count("}")


def test_a_table_is_replaced_whole_whether_or_not_it_is_there() -> None:
    assert no_table(Network("hearth")).splitlines() == [
        "table ip hearth-lab-hearth",
        "delete table ip hearth-lab-hearth",
    ]
