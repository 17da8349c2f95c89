# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.change import Taint, Wish, merge_patch_for
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError

from tests.support.nodes import node

NO_SCHEDULE = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
NO_EXECUTE = {"key": "dedicated", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("live", "wish", "patch"),
    [
        (node("a"), Wish(), {}),
        (node("a"), Wish(cordoned=True), {"spec": {"unschedulable": True}}),
        (node("a", unschedulable=True), Wish(cordoned=True), {}),
        (node("a", unschedulable=True), Wish(cordoned=False), {"spec": {"unschedulable": None}}),
        (node("a"), Wish(cordoned=False), {}),
        (node("a"), Wish(labels={"disk": "ssd"}), {"metadata": {"labels": {"disk": "ssd"}}}),
        (node("a", labels={"disk": "ssd"}), Wish(labels={"disk": "ssd"}), {}),
        (node("a", labels={"disk": "ssd"}), Wish(labels={"disk": None}), {"metadata": {"labels": {"disk": None}}}),
        (node("a"), Wish(labels={"disk": None}), {}),
        (node("a"), Wish(taints=[Taint("dedicated", "NoSchedule", "db")]), {"spec": {"taints": [NO_SCHEDULE]}}),
        (node("a", taints=[NO_SCHEDULE]), Wish(taints=[Taint("dedicated", "NoSchedule", "db")]), {}),
        (
            node("a", taints=[CORDON, NO_SCHEDULE]),
            Wish(taints=[Taint("dedicated", "NoSchedule", "web")]),
            {"spec": {"taints": [CORDON, {**NO_SCHEDULE, "value": "web"}]}},
        ),
        (
            node("a", taints=[NO_SCHEDULE, NO_EXECUTE]),
            Wish(taints=[Taint("dedicated", "NoSchedule", wanted=False)]),
            {"spec": {"taints": [NO_EXECUTE]}},
        ),
        (
            node("a", taints=[NO_SCHEDULE, NO_EXECUTE]),
            Wish(taints=[Taint("dedicated", wanted=False)]),
            {"spec": {"taints": None}},
        ),
        (node("a"), Wish(taints=[Taint("dedicated", wanted=False)]), {}),
    ],
)
def test_the_patch_says_what_differs_and_nothing_else(live: dict[str, Any], wish: Wish, patch: dict[str, Any]) -> None:
    assert merge_patch_for(live, wish) == patch


@pytest.mark.parametrize(("key", "value"), [("a b", "1"), ("ok", "not ok"), ("-x", None)])
def test_what_can_be_no_label_is_refused(key: str, value: str | None) -> None:
    with pytest.raises(InputError, match="labels: "):
        Wish(labels={key: value})
