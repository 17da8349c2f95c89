# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What comes after what: dependencies made into an order, and circles found and named."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import TypeVar

from .._errors import InputError

Node = TypeVar("Node", bound=Hashable)


def stages(dependencies: Mapping[Node, Collection[Node]]) -> list[list[Node]]:
    """Return all nodes in stages: each node stands in the first stage behind all that it depends on.

    Within a stage nodes keep the order in which they were given. What only appears as a dependency is not there and
    does not hold anything up.
    """
    _refuse_circles(dependencies)
    waiting = {node: set(needs) for node, needs in dependencies.items()}
    found: list[list[Node]] = []
    while waiting:
        ready = [node for node, needs in waiting.items() if not needs & waiting.keys()]
        found.append(ready)
        for node in ready:
            del waiting[node]
    return found


def ordered(dependencies: Mapping[Node, Collection[Node]]) -> list[Node]:
    """Return all nodes, each behind all that it depends on, otherwise in the order in which they were given."""
    _refuse_circles(dependencies)
    done: dict[Node, None] = {}
    for start in dependencies:
        path = [start]
        while path:
            first = next((one for one in dependencies[path[-1]] if one in dependencies and one not in done), None)
            if first is None:
                done[path.pop()] = None
            else:
                path.append(first)
    return list(done)


def _refuse_circles(dependencies: Mapping[Node, Collection[Node]]) -> None:
    found = circle(dependencies)
    if found:
        raise InputError(f"these depend on each other in a circle: {' -> '.join(map(str, found))}")


def circle(dependencies: Mapping[Node, Iterable[Node]]) -> list[Node]:
    """Return one circle, its first node again at its end; an empty list where there is none."""
    cleared: set[Node] = set()
    for start in dependencies:
        path: dict[Node, None] = {}
        found = _circle_from(start, dependencies, path, cleared)
        if found:
            return found
    return []


def _circle_from(
    start: Node, dependencies: Mapping[Node, Iterable[Node]], path: dict[Node, None], cleared: set[Node]
) -> list[Node]:
    """Walk into the depth without recursion: a long chain of dependencies must not end at Python's limit."""
    open_nodes = [(start, iter(dependencies.get(start, ())))]
    path[start] = None
    while open_nodes:
        node, needs = open_nodes[-1]
        needed = next((one for one in needs if one not in cleared), None)
        if needed is None:
            open_nodes.pop()
            path.pop(node)
            cleared.add(node)
        elif needed in path:
            walked = list(path)
            return [*walked[walked.index(needed) :], needed]
        else:
            path[needed] = None
            open_nodes.append((needed, iter(dependencies.get(needed, ()))))
    return []
