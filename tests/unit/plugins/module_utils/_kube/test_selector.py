# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.selector import (
    Operator,
    Requirement,
    Selector,
    parse_selector,
    selector_of,
)
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st

# The suites field_valid, field_invalid and field_match are left out: only the API server reads field selectors.
FILE = "selector_cases.yaml"
GO_NAMES = {"gt": ">", "lt": "<", "==": "="}


def suite(name: str) -> Any:
    def select(content: Any) -> list[fixtures.Case]:
        rows = content["suites"][name]
        return [row if isinstance(row, dict) else {"selector": row} for row in rows]

    return select


@fixtures.each(FILE, suite("valid"))
def test_valid(case: fixtures.Case) -> None:
    selector = parse_selector(case["selector"])
    assert parse_selector(str(selector)) == selector


@fixtures.each(FILE, suite("invalid"))
def test_invalid(case: fixtures.Case) -> None:
    with pytest.raises(InputError, match="label selector"):
        parse_selector(case["selector"])


@fixtures.each(FILE, suite("match"))
def test_match(case: fixtures.Case) -> None:
    assert parse_selector(case["selector"]).fits(case["labels"]) is case["expected"]


@fixtures.each(FILE, suite("parse"))
def test_parse(case: fixtures.Case) -> None:
    if not case["valid"]:
        with pytest.raises(InputError):
            parse_selector(case["selector"])
        return
    read = parse_selector(case["selector"])
    if "requirements" in case:
        found = [{"key": one.key, "op": one.operator, "values": list(one.values)} for one in read.requirements]
        assert found == [{**one, "op": GO_NAMES.get(one["op"], one["op"])} for one in case["requirements"]]


@fixtures.each(FILE, suite("requirement"))
def test_requirement(case: fixtures.Case) -> None:
    def build() -> Requirement:
        return Requirement(case["key"], Operator(GO_NAMES.get(case["op"], case["op"])), tuple(case["values"]))

    if case["valid"]:
        assert build().key == case["key"]
        return
    with pytest.raises((InputError, ValueError)):
        build()


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("x in a", "label selector 'x in a': '(' was expected, 'a' was found"),
        ("x in (a", "label selector 'x in (a': ')' was expected, it ends there"),
        ("x,", "label selector 'x,': a label was expected, it ends there"),
        ("-x", "label selector '-x': '-x' can be no label"),
        ("a.B/x", "label selector 'a.B/x': 'a.B/x' can be no label"),
        ("x>a", "label selector 'x>a': x>a: only whole numbers can be compared"),
        ("x=a_", "label selector 'x=a_': 'a_' can be no value of a label"),
    ],
)
def test_errors_name_the_place(selector: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_selector(selector)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["", "1a", "1.5"])
def test_what_is_no_number_compares_with_nothing(value: str) -> None:
    assert not parse_selector("x>0").fits({"x": value})


def test_the_selector_of_an_object_is_written_as_text() -> None:
    written = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]},
            {"key": "zone", "operator": "NotIn", "values": ["x"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "new", "operator": "Exists"},
        ],
    }
    assert str(selector_of(written)) == "app=web,new,!old,tier in (a,b),zone notin (x)"
    assert selector_of({}) == Selector()
    with pytest.raises(InputError, match="operator 'Like', which does not exist"):
        selector_of({"matchExpressions": [{"key": "a", "operator": "Like"}]})


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,5}[a-z0-9])?", fullmatch=True)
KEYS = NAMES | st.builds("{}.org/{}".format, NAMES, NAMES)
VALUES = st.just("") | NAMES
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from([Operator.EXISTS, Operator.ABSENT])),
    st.builds(Requirement, KEYS, st.sampled_from([Operator.EQUALS, Operator.DIFFERS]), st.tuples(VALUES)),
    st.builds(
        Requirement,
        KEYS,
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(VALUES, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(
        Requirement, KEYS, st.sampled_from([Operator.GREATER, Operator.LESS]), st.tuples(st.integers(0, 99).map(str))
    ),
)
SELECTORS = st.lists(REQUIREMENTS, max_size=4).map(
    lambda found: Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))
)


@given(SELECTORS)
def test_what_is_written_is_read_again(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector


@given(KEYS, st.lists(VALUES, min_size=1, max_size=3).map(tuple), st.dictionaries(KEYS, VALUES))
def test_a_requirement_and_its_opposite_never_agree(key: str, values: tuple[str, ...], labels: dict[str, str]) -> None:
    for one, other in ((Operator.IN, Operator.NOT_IN), (Operator.EXISTS, Operator.ABSENT)):
        given_values = values if one is Operator.IN else ()
        assert Requirement(key, one, given_values).fits(labels) is not Requirement(key, other, given_values).fits(
            labels
        )


@given(st.text(alphabet="ab=!<>(), in", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_selector(text)
    except InputError as error:
        assert "label selector" in str(error)
