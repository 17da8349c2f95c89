# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Objects made fit to be shown: what is secret is hidden, that it changes is not.

Hidden are the data of a Secret, values of environment variables whose name sounds like a secret, and the copy of the
whole object that kubectl keeps in an annotation. Markers say nothing about the value, neither its length nor a digest:
a short password can be guessed from a digest.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from .fields import mapping, text

HIDDEN: Final = "(hidden)"
HIDDEN_BEFORE: Final = "(hidden, before)"
HIDDEN_AFTER: Final = "(hidden, after)"

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

_SECRET_NAME = re.compile(r"pass|token|key|secret|credential", re.I)

_Path: TypeAlias = "tuple[str | int, ...]"


def redact(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an object with everything secret hidden."""
    shown: dict[str, Any] = _shown(document, (), dict.fromkeys(_secrets(document), HIDDEN))
    return shown


def redact_pair(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return copies of two states of an object in which a hidden value that changes still differs."""
    old, new = _secrets(before), _secrets(after)
    was, will_be = _by_meaning(old), _by_meaning(new)
    stays = {meaning for meaning, value in was.items() if meaning in will_be and will_be[meaning] == value}
    old_markers = {path: HIDDEN if _meaning(path) in stays else HIDDEN_BEFORE for path in old}
    new_markers = {path: HIDDEN if _meaning(path) in stays else HIDDEN_AFTER for path in new}
    return _shown(before, (), old_markers), _shown(after, (), new_markers)


def _secrets(document: Mapping[str, Any]) -> dict[_Path, Any]:
    """Return all secret values by their path; those of stringData encoded, as the API server does into data."""
    found: dict[_Path, Any] = {}
    if text(document, "kind") == "Secret" and text(document, "apiVersion") == "v1":
        found |= {("data", key): value for key, value in mapping(document, "data").items()}
        found |= {("stringData", key): _encoded(value) for key, value in mapping(document, "stringData").items()}
    if LAST_APPLIED in mapping(document, "metadata", "annotations"):
        found["metadata", "annotations", LAST_APPLIED] = ""
    _collect_variables(document, (), found)
    return found


def _encoded(value: Any) -> Any:
    return b64encode(value.encode()).decode() if isinstance(value, str) else value


def _collect_variables(value: Any, path: _Path, found: dict[_Path, Any]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _collect_variables(item, (*path, key), found)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            here = (*path, number)
            if path[-1:] == ("env",) and _SECRET_NAME.search(text(item, "name")) and "value" in mapping(item):
                found[(*here, "value")] = item["value"]
            _collect_variables(item, here, found)


def _meaning(path: _Path) -> _Path:
    """Return where the API server keeps the value of a path: stringData is written over data."""
    return ("data", *path[1:]) if path[:1] == ("stringData",) else path


def _by_meaning(values: Mapping[_Path, Any]) -> dict[_Path, Any]:
    return {_meaning(path): value for path, value in values.items()}


def _shown(value: Any, path: _Path, markers: Mapping[_Path, str]) -> Any:
    if path in markers:
        return markers[path]
    if isinstance(value, Mapping):
        return {key: _shown(item, (*path, key), markers) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, (*path, number), markers) for number, item in enumerate(value)]
    return value
