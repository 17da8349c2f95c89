# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Writing the small YAML of a first boot, and hiding what is secret in its files.

A string in JSON's notation is a string in YAML as well, if it holds no control characters but line ends; so no library
is needed, and no value can be mistaken for a number, a date or a truth value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

AUTHOR = "# Written by hearth.cluster for the first boot."  # tells our files, whose secrets we can hide, from others
HIDDEN = "(hidden)"
_NOT_STRINGS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}  # what YAML 1.1 takes for something else
_SECRET_LINE = re.compile(r"^(\s*(?:hashed_passwd|password|psk)\s*[:=]\s*)\S.*$", re.MULTILINE)
_SECRET_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


def yaml_text(value: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in _block(value))


def masked(text: str) -> str:
    """The text as it may be shown: passwords, hashes of them and private keys hidden."""
    return _SECRET_LINE.sub(rf"\1{HIDDEN}", _SECRET_BLOCK.sub(HIDDEN, text))


def _block(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [line for key, item in value.items() for line in _entry(f"{_key(key)}:", item)]
    if isinstance(value, (list, tuple)) and value:
        return [line for item in value for line in _item(item)]
    return [_scalar(value)]


def _entry(head: str, item: Any) -> list[str]:
    lines = _block(item)
    if isinstance(item, (Mapping, list, tuple)) and item:
        return [head, *(f"  {line}" for line in lines)]
    return [f"{head} {lines[0]}"]


def _item(item: Any) -> list[str]:
    first, *rest = _block(item)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _key(key: str) -> str:
    plain = re.fullmatch(r"[a-z][a-z0-9_-]*", key) and key not in _NOT_STRINGS
    return key if plain else _scalar(key)


def _scalar(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
