# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other hosts of the inventory are called, and where they are."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.filter.card import card_neighbours


@pytest.mark.parametrize(
    ("variables", "known"),
    [
        ({}, {"hostname": "pi2"}),
        ({"ansible_host": "192.168.1.12"}, {"hostname": "pi2", "address": "192.168.1.12"}),
        ({"ansible_host": "pi2.local"}, {"hostname": "pi2"}),
        (
            {"ansible_host": "pi2.local", "card_address": {"address": "fd00::2/64"}},
            {"hostname": "pi2", "address": "fd00::2"},
        ),
        ({"raspberry_pi_hostname": "attic"}, {"hostname": "attic"}),
        ({"raspberry_pi_hostname": "attic", "card_hostname": "cellar"}, {"hostname": "cellar"}),
    ],
)
def test_a_host_is_known_by_its_variables(variables: dict[str, Any], known: dict[str, str]) -> None:
    assert card_neighbours([{"inventory_hostname_short": "pi2", **variables}]) == [known]
