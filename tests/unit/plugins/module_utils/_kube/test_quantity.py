# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.quantity import Format, Quantity
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st

# The suite split is left out: it tells how upstream cuts a text into parts, and no value.
FILE = "quantity_cases.yaml"


def suite(name: str) -> Any:
    def select(content: Any) -> list[fixtures.Case]:
        rows = content["suites"][name]
        return [row if isinstance(row, dict) else {"input": row} for row in rows]

    return select


@fixtures.each(FILE, suite("parse"))
def test_parse(case: fixtures.Case) -> None:
    for sign, factor in (("", 1), ("+", 1), ("-", -1)):
        quantity = Quantity.parse(sign + case["input"])
        assert quantity.value == factor * Decimal(case["value"])
        assert quantity.format == case["format"]


@fixtures.each(FILE, suite("invalid"))
def test_invalid(case: fixtures.Case) -> None:
    with pytest.raises(InputError, match="is no quantity"):
        Quantity.parse(case["input"])


@fixtures.each(FILE, suite("canonical"))
def test_canonical(case: fixtures.Case) -> None:
    quantity = Quantity.parse(case["input"])
    assert str(quantity) == case["canonical"]
    assert quantity.value == Decimal(case.get("value", quantity.value))
    if "format" in case:
        assert str(Quantity(quantity.value, Format(case["format"]))) == case["canonical"]


@fixtures.each(FILE, suite("compare"))
def test_compare(case: fixtures.Case) -> None:
    one, other = Quantity.parse(case["x"]), Quantity.parse(case["y"])
    assert (one > other) - (one < other) == case["expected"]


@fixtures.each(FILE, suite("as_float"))
def test_as_float(case: fixtures.Case) -> None:
    assert float(Quantity.parse(case["input"]).value) == case["expected"]


def test_equal_values_are_equal_however_they_are_written() -> None:
    assert len({Quantity.parse(text) for text in ("0.5", "500m", "5e-1", "500000u")}) == 1


FORMATS = st.sampled_from(list(Format))
VALUES = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=9)


@given(VALUES, FORMATS)
def test_what_is_written_is_read_again(value: Decimal, form: Format) -> None:
    assert Quantity.parse(str(Quantity(value, form))).value == value


@given(VALUES, FORMATS)
def test_the_canonical_form_is_the_last(value: Decimal, form: Format) -> None:
    """In its own format: 5000 is the binary form of a number whose decimal form is 5k."""
    once = str(Quantity(value, form))
    assert str(Quantity(Quantity.parse(once).value, form)) == once


@given(st.text(alphabet="0123.+-eEnumkKMGi", max_size=8))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        assert Quantity.parse(text).value.is_finite()
