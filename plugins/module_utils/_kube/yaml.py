# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. YAML as Kubernetes reads it; the only importer of PyYAML.

Go's rules differ from PyYAML's: ``=``, ``on``, ``yes``, dates and ``12:30`` are strings, ``0o17`` and ``017`` are
octal, ``1e3`` is a number, and a key that is written twice is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InputError
from .yaml_limits import may_be_deep, refuse_depth, refuse_explosion, refuse_size

try:
    import yaml

    _BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
except ImportError:  # told by _require_yaml, where YAML is first needed
    yaml = None  # type: ignore[assignment]
    _BASE = _DUMPER = object

_INTEGER = re.compile(r"^[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$")
_NOT_A_NUMBER = re.compile(r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$")
_DIGITS = list("-+0123456789")

# A chart may render `---` with something behind it (`---# Source: ...`); the YAML standard wants a blank there.
_GLUED_SEPARATOR = re.compile(r"^---(?=[^\s-])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document and the line on which it starts."""

    content: Any
    line: int


class _Loader(_BASE):  # type: ignore[misc]  # the base depends on what is installed
    """CSafeLoader with Go's idea of scalars."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  # PyYAML's own way to hold them

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        _refuse_duplicates(node)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return {key if isinstance(key, str) else _key_text(key): value for key, value in mapping.items()}


def _refuse_duplicates(node: Any) -> None:
    seen = set()
    for key_node, _value in node.value:
        key = key_node.value
        if not isinstance(key, str) or key_node.tag == "tag:yaml.org,2002:merge":
            continue
        if key in seen:
            raise _Duplicate(key, key_node.start_mark.line + 1)
        seen.add(key)


def _json_mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _value in pairs]
        raise _Duplicate(next(key for key in keys if keys.count(key) > 1), 1)
    return mapping


class _Duplicate(Exception):  # noqa: N818  # never leaves this file
    def __init__(self, key: str, line: int) -> None:
        super().__init__(key)
        self.key, self.line = key, line


def _key_text(key: Any) -> str:
    """JSON has only strings as keys; Go writes a boolean key as true or false."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _integer(loader: Any, node: Any) -> int | float:
    plain = loader.construct_scalar(node).replace("_", "")
    sign, digits = (-1, plain[1:]) if plain[0] == "-" else (1, plain.lstrip("+"))
    if re.fullmatch(r"0[0-7]+", digits):
        return sign * int(digits, 8)
    if re.fullmatch(r"[0-9]+", digits):  # Go reads 08 and 09, which are no octal numbers, as floats, that is as 8 and 9
        return sign * int(digits)
    return sign * int(digits, 0)


def _float(loader: Any, node: Any) -> int | float:
    value = float(loader.construct_scalar(node).replace("_", ""))
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _not_a_number(_loader: Any, node: Any) -> float:
    raise yaml.constructor.ConstructorError(None, None, f"{node.value} cannot be sent as JSON", node.start_mark)


def _equip_loader() -> None:
    resolvers = (
        ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
        ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
        ("tag:yaml.org,2002:int", _INTEGER, _DIGITS),
        ("tag:yaml.org,2002:float", _FLOAT, [*_DIGITS, "."]),
        ("!not-a-number", _NOT_A_NUMBER, ["-", "+", "."]),
        ("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"]),
    )
    for tag, pattern, first_characters in resolvers:
        for first in first_characters:
            _Loader.yaml_implicit_resolvers.setdefault(first, []).append((tag, pattern))
    _Loader.add_constructor("tag:yaml.org,2002:int", _integer)
    _Loader.add_constructor("tag:yaml.org,2002:float", _float)
    _Loader.add_constructor("!not-a-number", _not_a_number)


if yaml is not None:
    _equip_loader()


def _require_yaml() -> None:
    if yaml is None:
        raise InputError(
            "The Python library PyYAML is needed to read manifests and is not installed for the interpreter that runs"
            " this module; install it with 'pip install pyyaml'"
        )


def read_documents(text: str, origin: str) -> Iterator[Document]:
    """Read all documents of a text; `origin` (a file or what else it came from) is named in errors."""
    _require_yaml()
    refuse_size(len(text), origin)
    if text.startswith("{"):
        try:
            yield Document(json.loads(text, object_pairs_hook=_json_mapping), 1)
            return
        except _Duplicate as error:
            raise InputError(f"{origin}: the key {error.key!r} is written twice in the same mapping") from error
        except (ValueError, RecursionError):
            pass  # YAML in flow style, or something that is told below
    may_explode = "&" in text and "*" in text
    loader: Any = None
    try:
        text = _GLUED_SEPARATOR.sub("--- ", text)
        if may_be_deep(text):
            refuse_depth(yaml.parse(text, Loader=_BASE), origin)
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if may_explode:
                refuse_explosion(node, origin)
            yield Document(loader.construct_document(node), node.start_mark.line + 1)
    except _Duplicate as error:
        raise InputError(
            f"{origin}:{error.line}: the key {error.key!r} is written twice in the same mapping; remove one of the two"
        ) from error
    except yaml.YAMLError as error:
        raise InputError(_explain(error, text, origin)) from error
    finally:
        if loader is not None:
            loader.dispose()


def _explain(error: Any, text: str, origin: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{origin}:{mark.line + 1}" if mark else origin
    problem = getattr(error, "problem", None) or str(error)
    if mark and _is_indented_by_tab(text, mark.line):
        return f"{place}: a tab is used to indent; YAML allows only spaces there: replace the tab by spaces"
    if "could not determine a constructor for the tag" in problem:
        return f"{place}: {problem}; Kubernetes knows no YAML tags of its own: remove the tag"
    return f"{place}: this is not valid YAML: {problem}"


def _is_indented_by_tab(text: str, line: int) -> bool:
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    return "\t" in written[: len(written) - len(written.lstrip())]


def write_yaml(content: Mapping[str, Any]) -> str:
    """Write one object as YAML, for people: block style, keys in the given order."""
    _require_yaml()
    text: str = yaml.dump(
        content, Dumper=_DUMPER, sort_keys=False, default_flow_style=False, allow_unicode=True, width=160
    )
    return text
