# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. YAML that would exhaust the memory or the stack of whoever reads it is refused before.

The limits are far above any real manifest: the largest known package has 12 MB, no manifest nests 50 levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._errors import InputError

LARGEST = 64 * 1024 * 1024
DEEPEST = 500
MOST_VALUES = 2_000_000


def refuse_size(size: int, origin: str) -> None:
    """Refuse what is too large, by its number of bytes or characters."""
    if size > LARGEST:
        raise InputError(f"{origin}: {size >> 20} MiB of YAML are more than the {LARGEST >> 20} MiB allowed")


def may_be_deep(text: str) -> bool:
    """Whether looking closer is worth its time: every level needs a bracket, a dash or a blank."""
    brackets = text.count("[") + text.count("{")
    return brackets > DEEPEST or "- " * 50 in text or "? " * 50 in text or " " * DEEPEST in text


def refuse_depth(events: Iterable[Any], origin: str) -> None:
    """Refuse nesting by the reader's events, which need no stack; the parser would crash."""
    depth = 0
    for event in events:
        kind = type(event).__name__
        if kind in ("SequenceStartEvent", "MappingStartEvent"):
            depth += 1
            if depth > DEEPEST:
                raise _too_deep(f"{origin}:{event.start_mark.line + 1}")
        elif kind in ("SequenceEndEvent", "MappingEndEvent"):
            depth -= 1


def refuse_explosion(node: Any, origin: str) -> None:
    """Aliases are shared in memory but written out in full when sent: a few lines can become gigabytes."""
    place = f"{origin}:{node.start_mark.line + 1}"
    known: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def measure(part: Any) -> tuple[int, int]:
        """How many values a node holds, and how many levels."""
        if not isinstance(part.value, list):
            return 1, 1
        if id(part) in open_nodes:
            raise InputError(f"{place}: an alias of this document stands inside of its own anchor; write it out")
        if id(part) not in known:
            open_nodes.add(id(part))
            inner = [measure(each) for item in part.value for each in (item if isinstance(item, tuple) else (item,))]
            open_nodes.discard(id(part))
            known[id(part)] = (
                1 + sum(size for size, _depth in inner),
                1 + max((depth for _s, depth in inner), default=0),
            )
        return known[id(part)]

    values, levels = measure(node)
    if levels > DEEPEST:
        raise _too_deep(place)
    if values > MOST_VALUES:
        raise InputError(
            f"{place}: the aliases of this document expand to more than {MOST_VALUES} values;"
            " it is refused because sending it would exhaust the memory of controller and server"
        )


def _too_deep(place: str) -> InputError:
    return InputError(f"{place}: this document nests more than {DEEPEST} levels; no Kubernetes object does")
