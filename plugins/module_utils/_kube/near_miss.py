# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. "Did you mean": the names that a mistyped one could have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 8


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a half sentence that names what is close, or else what there is; it can be empty."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return "there is nothing at all"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"there is {', '.join(names[:_SHOWN])}{more}"
