# SPDX-License-Identifier: GPL-3.0-or-later
"""Health in the operator's own words: read, matched with objects, judged."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.expectation import judge
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.verdict import Status, Surroundings
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._package.customise.healthy import (
    expected_of,
    read_healthy,
    refuse_unmet,
)

DATABASE = {
    "apiVersion": "example.org/v1",
    "kind": "Database",
    "metadata": {"name": "db", "namespace": "n", "generation": 2},
}


def live(**status: Any) -> dict[str, Any]:
    return {**DATABASE, "status": status}


def verdict(written: dict[str, Any], status: dict[str, Any]) -> tuple[Status, str]:
    rule = read_healthy({"target": {"kind": "Database"}, **written}, "healthy[0]")
    found = judge(live(**status), Surroundings(), [rule.expectation])
    return found.status, found.message


@pytest.mark.parametrize(
    ("written", "status", "expected"),
    [
        ({"where": "status.phase == 'Healthy'"}, {"phase": "Healthy"}, Status.CURRENT),
        ({"where": "status.phase == 'Healthy'"}, {"phase": "Starting"}, Status.IN_PROGRESS),
        ({"where": "status.phase == 'Healthy'"}, {}, Status.IN_PROGRESS),
        ({"where": "status.ready >= `2`"}, {"ready": 2}, Status.CURRENT),
        ({"where": "length(status.members) == `2`"}, {}, Status.IN_PROGRESS),  # a function that null does not please
        ({"where": "status.a", "failed": "status.phase == 'Lost'"}, {"phase": "Lost"}, Status.FAILED),
        ({"where": "status.a", "failed": "contains(status.phase, 'x')"}, {}, Status.IN_PROGRESS),
        ({"where": "status.a", "failed": "status.phase == 'Lost'"}, {"a": 1, "phase": "Found"}, Status.CURRENT),
        ({"condition": "Ready"}, {"conditions": [{"type": "Ready", "status": "True"}]}, Status.CURRENT),
        ({"condition": "Ready"}, {"conditions": [{"type": "Ready", "status": "False"}]}, Status.IN_PROGRESS),
        ({"condition": "Stalled=False"}, {"conditions": [{"type": "Stalled", "status": "False"}]}, Status.CURRENT),
        ({"condition": "Ready"}, {"conditions": None}, Status.IN_PROGRESS),
        # What its controller says about an older generation says nothing.
        ({"where": "status.a"}, {"a": 1, "observedGeneration": 1}, Status.IN_PROGRESS),
        ({"where": "status.a"}, {"a": 1, "observedGeneration": 2}, Status.CURRENT),
    ],
)
def test_an_object_is_judged_by_the_operators_words(
    written: dict[str, Any], status: dict[str, Any], expected: Status
) -> None:
    assert verdict(written, status)[0] is expected


def test_the_expression_is_told() -> None:
    assert verdict({"where": "status.ready"}, {})[1] == "status.ready is not true yet"


def test_all_that_is_said_about_an_object_must_hold() -> None:
    rules = [read_healthy({"target": {"kind": "Database"}, "where": f"status.{name}"}, "healthy") for name in "ab"]
    expected = expected_of(rules, [Manifest(DATABASE)])
    ((identity, expectations),) = expected.items()
    assert str(identity) == "Database n/db"
    assert not judge(live(a=1), Surroundings(), expectations).is_current
    assert judge(live(a=1, b=1), Surroundings(), expectations).is_current


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"target": {"kind": "Database"}}, r"healthy\[0\]: must have either where"),
        ({"target": {"kind": "Database"}, "where": "a", "condition": "Ready"}, r"must have either where"),
        ({"where": "a"}, r"healthy\[0\]: target is missing"),
        ({"target": {"kind": "Database"}, "where": "a["}, r"healthy\[0\]: where: 'a\[' is no JMESPath expression"),
        ({"target": {"kind": "Database"}, "condition": "a b"}, r"condition is 'a b'; write the type of a condition"),
        ({"target": {"kind": "Database"}, "were": "a"}, r"there is no option 'were'; did you mean where"),
    ],
)
def test_every_mistake_is_told_with_its_place(written: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_healthy(written, "healthy[0]")


def test_an_expectation_that_is_about_nothing_is_a_mistake() -> None:
    rule = read_healthy({"target": {"kind": "Databse"}, "where": "status.a"}, "package p: healthy[0]")
    with pytest.raises(InputError, match=r"package p: healthy\[0\]: no object matches kind=Databse; .*Database"):
        refuse_unmet([rule], [Manifest(DATABASE)])
