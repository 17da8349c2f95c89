# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Quantities of resources: ``500m``, ``1Gi``, ``1e3``.

The API server writes a quantity in its canonical form, so that what was sent as ``0.5`` comes back as ``500m``. Two
quantities are compared by their value, never as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal
from enum import StrEnum
from functools import total_ordering
from typing import Final

from .._errors import InputError

_PATTERN: Final = re.compile(
    r"(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:(?P<suffix>[numkMGTPE]|[KMGTPE]i)|[eE](?P<exponent>[-+]?[0-9]{1,2}))?"
)
_DECIMAL_POWERS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_POWERS: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}

# The smallest part that the API server keeps; what is finer is rounded away from zero.
_NANO: Final = Decimal("1e-9")
_GREATEST: Final = Decimal(2**63 - 1)
_EXACT: Final = Context(prec=200)


class Format(StrEnum):
    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


@total_ordering
@dataclass(frozen=True, eq=False)
class Quantity:
    """A value, and the way in which it is written."""

    value: Decimal
    format: Format = Format.DECIMAL_SI

    @classmethod
    def parse(cls, text: str) -> Quantity:
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise InputError(f"{text!r} is no quantity: write it like 500m, 2, 1.5Gi or 1e3")
        number, suffix = Decimal(match["number"]), match["suffix"] or ""
        if match["exponent"] is not None:
            return cls(_rounded(_EXACT.scaleb(number, int(match["exponent"]))), Format.DECIMAL_EXPONENT)
        if suffix in _BINARY_POWERS:
            return _of_binary(_rounded(_EXACT.multiply(number, Decimal(1024) ** _BINARY_POWERS[suffix])))
        return cls(_rounded(_EXACT.scaleb(number, _DECIMAL_POWERS[suffix])))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __lt__(self, other: Quantity) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __str__(self) -> str:
        """Write the canonical form: a whole number with the greatest suffix that fits."""
        if self.value == 0:
            return "0"
        if self.format is Format.BINARY_SI and abs(self.value) >= 1024 and self.value == self.value.to_integral_value():
            return _binary(int(self.value))
        mantissa, power = _decimal(self.value, limit=None if self.format is Format.DECIMAL_EXPONENT else 18)
        if self.format is Format.DECIMAL_EXPONENT:
            return f"{mantissa}e{power}" if power else str(mantissa)
        return f"{mantissa}{next(name for name, known in _DECIMAL_POWERS.items() if known == power)}"


def _of_binary(value: Decimal) -> Quantity:
    """Return a quantity that was written in powers of 1024, with the limits that the API server sets to these."""
    if 0 < abs(value) < 1:
        return Quantity(value, Format.DECIMAL_SI)
    return Quantity(max(-_GREATEST, min(_GREATEST, value)), Format.BINARY_SI)


def _rounded(value: Decimal) -> Decimal:
    if value.is_zero():
        return Decimal(0)
    return value.quantize(_NANO, rounding=ROUND_UP, context=_EXACT) if int(value.as_tuple().exponent) < -9 else value


def _binary(value: int) -> str:
    suffix = ""
    for name in _BINARY_POWERS:
        if value % 1024:
            break
        value, suffix = value // 1024, name
    return f"{value}{suffix}"


def _decimal(value: Decimal, limit: int | None) -> tuple[int, int]:
    """Return the value as a whole number and the greatest power of a thousand, in tens, up to a limit."""
    whole, power = int(_EXACT.scaleb(value, 9)), -9
    while whole % 1000 == 0 and (limit is None or power < limit):
        whole, power = whole // 1000, power + 3
    return whole, power
