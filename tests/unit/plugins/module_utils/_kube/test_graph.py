# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.graph import circle, ordered, stages
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("dependencies", "expected"),
    [
        ({}, []),
        ({"b": [], "a": []}, [["b", "a"]]),
        ({"app": ["db"], "db": [], "blog": []}, [["db", "blog"], ["app"]]),
        ({"a": ["b", "c"], "b": ["c"], "c": []}, [["c"], ["b"], ["a"]]),
        ({"a": ["elsewhere"]}, [["a"]]),
    ],
)
def test_stages(dependencies: Any, expected: Any) -> None:
    assert stages(dependencies) == expected


def test_the_order_stays_as_given_where_nothing_depends() -> None:
    assert ordered({"a": ["c"], "b": [], "c": ["d", "elsewhere"], "d": []}) == ["d", "c", "a", "b"]


@pytest.mark.parametrize(
    ("dependencies", "message"),
    [
        ({"a": ["a"]}, "these depend on each other in a circle: a -> a"),
        ({"z": [], "a": ["b"], "b": ["c"], "c": ["a"]}, "these depend on each other in a circle: a -> b -> c -> a"),
        ({"x": ["a"], "a": ["b"], "b": ["a"]}, "these depend on each other in a circle: a -> b -> a"),
    ],
)
def test_a_circle_is_named(dependencies: Any, message: str) -> None:
    for arrange in (stages, ordered):
        with pytest.raises(InputError) as caught:
            arrange(dependencies)
        assert str(caught.value) == message


def test_a_long_chain_does_not_end_at_the_limit_of_python() -> None:
    chain = {number: [number + 1] for number in range(3000)}
    assert circle(chain) == []
    assert len(stages({number: [number + 1] for number in range(300)})) == 300
    assert ordered(chain) == list(reversed(range(3000)))
    assert circle({**chain, 3000: [0]})[:2] == [0, 1]


NODES = st.integers(0, 6)
GRAPHS = st.dictionaries(NODES, st.lists(NODES, max_size=3))


@given(GRAPHS)
def test_every_node_stands_once_behind_what_it_needs_or_a_true_circle_is_named(graph: dict[int, list[int]]) -> None:
    try:
        found = stages(graph)
    except InputError:
        named = circle({node: [one for one in needs if one in graph] for node, needs in graph.items()})
        assert named[0] == named[-1]
        assert all(after in graph[before] for before, after in pairwise(named))
        return
    place = {node: number for number, stage in enumerate(found) for node in stage}
    assert sorted(place) == sorted(graph)
    assert sum(map(len, found)) == len(graph)
    row = ordered(graph)
    assert sorted(row) == sorted(graph)
    for node, needs in graph.items():
        for needed in needs:
            if needed in graph:
                assert place[needed] < place[node]
                assert row.index(needed) < row.index(node)
