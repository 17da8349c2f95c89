# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Find names that nobody reads, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def misspelt(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return one sentence for each name that is not known."""
    choices = sorted(known)
    return [_sentence(name, choices) for name in sorted(set(names) - set(choices))]


def _sentence(name: str, choices: list[str]) -> str:
    near = get_close_matches(name, choices, n=1)
    return f"{name} is not a parameter" + (f"; did you mean {near[0]}?" if near else "")
