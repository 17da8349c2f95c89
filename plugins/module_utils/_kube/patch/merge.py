# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. JSON merge patch (RFC 7386): the patch for what has no merge keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(document: Any, patch: Any) -> Any:
    """Return the document with the patch merged in: mappings by key, null removes, all else replaces.

    Neither argument is changed; the result shares the parts that stayed as they were.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
