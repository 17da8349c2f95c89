# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The secret values among the options, so that no output can show them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Shorter values would blot out ordinary words of the output.
_SHORTEST = 4

# What values of templates call a secret, and not the name of one.
_SECRET_NAME = re.compile(r"^(?!existing).*(pass|passwd|password|passphrase|token|secret|api_?key|private_?key)$", re.I)

_PATCH_KINDS = ("merge", "json", "set")
_OPEN_IN_SECRETS = frozenset({"apiVersion", "immutable", "kind", "metadata", "type"})
_NOT_VALUES = frozenset({"op", "path", "from"})  # of an operation of a JSON patch


def secret_values(entries: Iterable[Any]) -> set[str]:
    """Every secret value that packages hold: generated Secrets, Secrets in place, and patches of Secrets."""
    return _long_enough(value for entry in entries for value in _secrets_in(entry))


def secrets_of_patch(kind: str, patch: Mapping[str, Any]) -> set[str]:
    """Every secret value in a patch of one object of a kind."""
    return _long_enough(_values_of_patch(patch)) if kind.partition(".")[0] == "Secret" else set()


def _long_enough(values: Iterable[str]) -> set[str]:
    return {value for value in values if len(value) >= _SHORTEST}


def _secrets_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for secret in value.get("secrets") or ():
            if isinstance(secret, Mapping) and isinstance(secret.get("values"), Mapping):
                yield from (way for text in _texts(secret["values"]) for way in _both_ways(text))
        yield from (part for key, part in value.items() if isinstance(part, str) and _SECRET_NAME.search(str(key)))
        if value.get("kind") == "Secret":
            yield from _values_of_secret(value)
        if _is_patch_of_secrets(value):
            yield from _values_of_patch(value)
        for part in value.values():
            yield from _secrets_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _secrets_in(part)


def _values_of_secret(content: Mapping[str, Any]) -> Iterator[str]:
    """All that stands in a Secret, also under a mistyped name or in the wrong form."""
    for name, part in content.items():
        if name not in _OPEN_IN_SECRETS:
            for text in _texts(part):
                yield from _both_ways(text)


def _both_ways(value: str) -> Iterator[str]:
    """A value as it stands, as base64, and what it says where it is base64 itself."""
    if len(value) < _SHORTEST:
        return
    yield value
    yield base64.b64encode(value.encode()).decode()
    try:
        yield base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return


def _is_patch_of_secrets(value: Mapping[Any, Any]) -> bool:
    """Whether this looks like a patch whose target can be a Secret; `where` may say it in its own words."""
    if not any(isinstance(value.get(kind), Mapping | list) for kind in _PATCH_KINDS):
        return False
    target = value.get("target")
    pattern = target.get("kind") if isinstance(target, Mapping) else None
    return "Secret" in str(value.get("where") or "") or (isinstance(pattern, str) and _fits_secret(pattern))


def _fits_secret(pattern: str) -> bool:
    try:
        return re.fullmatch(pattern, "Secret") is not None
    except re.error:
        return False


def _values_of_patch(patch: Mapping[str, Any]) -> Iterator[str]:
    for kind in _PATCH_KINDS:
        for text in _texts(patch.get(kind)):
            yield from _both_ways(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (text for key, part in value.items() if key not in _NOT_VALUES for text in _texts(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in _texts(part))
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)
