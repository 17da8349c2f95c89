# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The RFC 7386 merge patch that makes one object of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs, null for what is gone; empty where nothing differs. Lists are sent whole."""
    patch: dict[str, Any] = {key: None for key in before if key not in after and before[key] is not None}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = merge_patch_between(old, value)
            if inner:
                patch[key] = inner
        elif value != old or type(value) is not type(old):
            patch[key] = value
    return patch
