# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Read what the operator wrote about a package; every mistake is named with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._errors import InputError
from .._kube.near_miss import did_you_mean

Value = TypeVar("Value")


class Options:
    """One mapping of the operator's. Each option is taken once; what is left over at the end is a mistake."""

    def __init__(self, content: Any, place: str) -> None:
        if not isinstance(content, Mapping):
            raise InputError(f"{place} must be a mapping of options, not {_words(content)}")
        self._content = content
        self._known: list[str] = []
        self.place = place

    def fail(self, problem: str) -> InputError:
        return InputError(f"{self.place}: {problem}")

    def has(self, name: str) -> bool:
        return self._content.get(name) is not None

    def take(self, name: str, read: Callable[[Any, str], Value], default: Value) -> Value:
        """The value of an option, checked by `read`; None counts as not given."""
        self._known.append(name)
        value = self._content.get(name)
        return default if value is None else read(value, f"{self.place}: {name}")

    def need(self, name: str, read: Callable[[Any, str], Value]) -> Value:
        self._known.append(name)
        if self._content.get(name) is None:
            raise self.fail(f"{name} is missing")
        return read(self._content[name], f"{self.place}: {name}")

    def finish(self) -> None:
        for name in self._content:
            if name not in self._known:
                raise self.fail(f"there is no option {name!r}; {did_you_mean(str(name), self._known)}")


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "a mapping", type(None): "nothing"}
    return next((word for kind, word in kinds.items() if isinstance(value, kind)), type(value).__name__)


def text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise InputError(f"{place} must be text, not {_words(value)}" if value != "" else f"{place} is empty")
    return value


def flag(value: Any, place: str) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no"):  # Jinja gives text
        return value.lower() in ("true", "yes")
    if not isinstance(value, bool):
        raise InputError(f"{place} must be true or false, not {_words(value)}")
    return value


def whole_number(value: Any, place: str) -> int:
    if isinstance(value, str) and value.isdigit():  # Jinja gives text
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{place} must be a whole number, not {_words(value)}")
    return value


def choice(*allowed: str) -> Callable[[Any, str], str]:
    def read(value: Any, place: str) -> str:
        if value not in allowed:
            raise InputError(f"{place} is {value!r}, must be one of {', '.join(allowed)}")
        return str(value)

    return read


def list_of(read: Callable[[Any, str], Value]) -> Callable[[Any, str], tuple[Value, ...]]:
    def read_list(value: Any, place: str) -> tuple[Value, ...]:
        if not isinstance(value, list | tuple):
            raise InputError(f"{place} must be a list, not {_words(value)}")
        return tuple(read(item, f"{place}[{number}]") for number, item in enumerate(value))

    return read_list


def texts(value: Any, place: str) -> tuple[str, ...]:
    """A list of texts; a single text counts as a list of one."""
    return (value,) if isinstance(value, str) else list_of(text)(value, place)


def mapping_of(read: Callable[[Any, str], Value]) -> Callable[[Any, str], Mapping[str, Value]]:
    def read_mapping(value: Any, place: str) -> Mapping[str, Value]:
        if not isinstance(value, Mapping):
            raise InputError(f"{place} must be a mapping, not {_words(value)}")
        return {str(key): read(item, f"{place}.{key}") for key, item in value.items()}

    return read_mapping


def scalar_text(value: Any, place: str) -> str:
    """Text, or a number or truth value that Kubernetes wants as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise InputError(f"{place} must be text, not {_words(value)}")
    return str(value)


def tree(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{place} must be a mapping, not {_words(value)}")
    return value


def anything(value: Any, _place: str) -> Any:
    return value
