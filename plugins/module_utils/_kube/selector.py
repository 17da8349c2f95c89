# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Label selectors as text, the way the API server and kubectl -l read them.

``x``, ``!x``, ``x=a``, ``x==a``, ``x!=a``, ``x in (a,b)``, ``x notin (a,b)``, ``x>1``, ``x<1``, joined by commas; all
must hold. An empty selector fits everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .._errors import InputError
from .fields import mapping, sequence, text


class Operator(StrEnum):
    EXISTS = "exists"
    ABSENT = "!"
    EQUALS = "="
    DIFFERS = "!="
    IN = "in"
    NOT_IN = "notin"
    GREATER = ">"
    LESS = "<"


# How many values an operator takes; None is one or more.
_COUNTS: Final[Mapping[Operator, int | None]] = {
    Operator.EXISTS: 0,
    Operator.ABSENT: 0,
    Operator.EQUALS: 1,
    Operator.DIFFERS: 1,
    Operator.IN: None,
    Operator.NOT_IN: None,
    Operator.GREATER: 1,
    Operator.LESS: 1,
}
_SIGNS: Final[Mapping[str, Operator]] = {
    "=": Operator.EQUALS,
    "==": Operator.EQUALS,
    "!=": Operator.DIFFERS,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}

_TOKEN: Final = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+)")
_OBJECT_OPERATORS: Final[Mapping[str, Operator]] = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.ABSENT,
}

_PUNCTUATION: Final = frozenset("!(),")
_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")


@dataclass(frozen=True)
class Requirement:
    """One condition on one label; its values are sorted and each there once."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(sorted(set(self.values))))
        _check_key(self.key)
        self._check_values()

    def _check_values(self) -> None:
        count = _COUNTS[self.operator]
        if (count is None and not self.values) or (count is not None and len(self.values) != count):
            raise InputError(f"{self.key} {self.operator}: needs {'values' if count is None else count}")
        for value in self.values:
            if value and not _NAME.fullmatch(value):
                raise InputError(f"{value!r} can be no value of a label")
            if self.operator in (Operator.GREATER, Operator.LESS) and not _INTEGER.fullmatch(value):
                raise InputError(f"{self.key}{self.operator}{value}: only whole numbers can be compared")

    def fits(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None
            case Operator.EQUALS | Operator.IN:
                return value in self.values
            case Operator.DIFFERS | Operator.NOT_IN:
                return value not in self.values
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not _INTEGER.fullmatch(value):
            return False
        limit = int(self.values[0])
        return int(value) > limit if self.operator is Operator.GREATER else int(value) < limit

    def __str__(self) -> str:
        if self.operator is Operator.EXISTS:
            return self.key
        if self.operator is Operator.ABSENT:
            return f"!{self.key}"
        if self.operator in (Operator.IN, Operator.NOT_IN):
            return f"{self.key} {self.operator} ({','.join(self.values)})"
        return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True)
class Selector:
    """All conditions of a selector, sorted by their label."""

    requirements: tuple[Requirement, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.fits(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def parse_selector(selector: str) -> Selector:
    """Read a selector, or say where it is wrong."""
    try:
        found = _Reader(_TOKEN.findall(selector)).requirements()
    except InputError as error:
        raise InputError(f"label selector {selector!r}: {error}") from None
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


def selector_of(label_selector: Mapping[str, Any]) -> Selector:
    """Return what an object writes as its selector, with matchLabels and matchExpressions."""
    labels = mapping(label_selector, "matchLabels")
    found = [Requirement(key, Operator.EQUALS, (value,)) for key, value in labels.items()]
    for expression in sequence(label_selector, "matchExpressions"):
        operator = _OBJECT_OPERATORS.get(text(expression, "operator"))
        if operator is None:
            raise InputError(
                f"matchExpressions has the operator {text(expression, 'operator')!r}, which does not exist"
            )
        values = tuple(map(str, sequence(expression, "values")))
        found.append(Requirement(text(expression, "key"), operator, values))
    return Selector(tuple(sorted(found, key=lambda requirement: requirement.key)))


class _Reader:
    """Walks over the words of a selector; an empty word is its end."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._position = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._peek():
            if found:
                self._expect(",")
            found.append(self._requirement())
        return found

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._word(), Operator.ABSENT)
        key = self._word()
        sign = self._peek()
        if sign in _SIGNS:
            self._next()
            return Requirement(key, _SIGNS[sign], (self._value(),))
        if sign in (Operator.IN, Operator.NOT_IN):
            self._next()
            return Requirement(key, Operator(sign), self._values())
        return Requirement(key, Operator.EXISTS)

    def _values(self) -> tuple[str, ...]:
        self._expect("(")
        values = [self._value()]
        while self._peek() == ",":
            self._next()
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> str:
        """Return the next word, an empty one where a comma, a bracket or the end follows at once."""
        return "" if self._peek() in ("", ",", ")") else self._word()

    def _word(self) -> str:
        word = self._next()
        if not word or word in _SIGNS or word in _PUNCTUATION:
            raise InputError(f"a label was expected, {f'{word!r} was found' if word else 'it ends there'}")
        return word

    def _expect(self, wanted: str) -> None:
        word = self._next()
        if word != wanted:
            raise InputError(f"{wanted!r} was expected, {f'{word!r} was found' if word else 'it ends there'}")

    def _peek(self) -> str:
        return self._words[self._position] if self._position < len(self._words) else ""

    def _next(self) -> str:
        word = self._peek()
        self._position += 1
        return word


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not (_DOMAIN.fullmatch(prefix) and len(prefix) <= 253)):
        raise InputError(f"{key!r} can be no label")
