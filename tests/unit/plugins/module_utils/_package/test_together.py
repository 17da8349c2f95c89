# SPDX-License-Identifier: GPL-3.0-or-later
"""Many packages in one run: what waits for what, what fails alone, and what they must not share."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.parallel import along
from ansible_collections.hearth.cluster.plugins.module_utils._package.result import failure_of, result_of

from tests.support.contract import config_map, definition
from tests.support.package_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def entry(name: str, *objects: dict[str, Any], needs: tuple[str, ...] = ()) -> dict[str, Any]:
    content = objects or (config_map("default", name, k="1"),)
    return {"name": name, "source": {"inline": list(content)}, "depends_on": list(needs)}


BAD = {"apiVersion": "v1", "kind": "ConfigMapp", "metadata": {"name": "x"}}


def test_what_depends_on_nothing_goes_on_at_the_same_time() -> None:
    both_run = threading.Barrier(2, timeout=5)

    def do(node: str, needed: list[str]) -> str:
        if node in "ab":
            both_run.wait()
        return node + "".join(needed)

    dependencies = {"a": [], "b": ["elsewhere"], "c": ["b", "a"], "d": ["c"]}
    assert along(dependencies, do, at_once=4) == ["a", "b", "cba", "dcba"]


def test_a_package_begins_when_all_that_it_depends_on_is_done(world: World) -> None:
    thing = {"apiVersion": "x.example.org/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "made"}}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made"}}
    entries = [
        entry("user", thing, needs=("operator",)),
        entry("operator", definition("x.example.org", "Thing"), space),
    ]
    foretold = world.run_all(*entries, check=True)
    assert world.writes() == []
    done = world.run_all(*entries)
    assert [outcome.package.name for outcome in done] == ["operator", "user"]
    told = [
        [(step.verb, str(step.identity)) for outcome in run for step in outcome.plan.steps] for run in (foretold, done)
    ]
    assert told[0] == told[1]
    assert all(verb is Verb.CREATE for verb, _identity in told[0])
    assert not any(outcome.changed for outcome in world.run_all(*entries))


def test_a_package_that_fails_stops_those_behind_it_and_no_other(world: World) -> None:
    outcomes = world.run_all(
        entry("a"), entry("bad", BAD), entry("behind", needs=("bad",)), entry("far", needs=("behind",)), entry("z")
    )
    answer = result_of(outcomes, check=False, with_diff=False)
    assert world.names() == ["a", "z"]
    assert [(each["name"], each["failed"], each["changed"]) for each in answer["packages"]] == [
        ("a", False, True),
        ("bad", True, False),
        ("behind", True, False),
        ("far", True, False),
        ("z", False, True),
    ]
    error = failure_of(outcomes, answer)
    assert error is not None
    assert str(error).startswith(
        "3 of 5 packages failed.\n\npackage bad: inline[0]: this cluster has no kind ConfigMapp"
    )
    assert "package behind: not tried, because bad failed" in str(error)
    assert "package far: not tried, because behind failed" in str(error)
    assert error.details["changed"] is True
    assert error.details["packages"] == answer["packages"]


def test_what_is_removed_goes_before_what_it_depends_on(world: World) -> None:
    thing = {"apiVersion": "x.example.org/v1", "kind": "Thing", "metadata": {"name": "t", "finalizers": ["a/b"]}}
    world.run_all(entry("operator"), entry("user", needs=("operator",)), entry("other"))
    world.writes()
    gone = [{"name": "operator", "state": "absent"}, {"name": "user", "state": "absent", "depends_on": ["operator"]}]
    world.run_all(*gone, entry("other", needs=("operator",)))
    deleted = [line for line in world.writes() if "ConfigMap" in line]
    assert deleted == ["delete ConfigMap default/user", "delete ConfigMap default/operator"]

    world.run_all(entry("operator"), entry("user", thing, definition("x.example.org", "Thing"), needs=("operator",)))
    outcomes = world.run_all(*gone)
    assert [outcome.error is None for outcome in outcomes] == [False, False]
    assert "not tried, because user failed" in str(outcomes[0].error)
    assert "operator" in world.names()


def test_every_failure_is_told(world: World) -> None:
    outcomes = world.run_all(entry("one", BAD), entry("two", BAD))
    error = failure_of(outcomes, result_of(outcomes, check=False, with_diff=False))
    assert "package one: inline[0]" in str(error)
    assert "package two: inline[0]" in str(error)


def test_one_package_alone_fails_with_its_own_words(world: World) -> None:
    outcomes = world.run_all(entry("bad", BAD))
    error = failure_of(outcomes, result_of(outcomes, check=False, with_diff=False))
    assert str(error).startswith("inline[0]: this cluster has no kind ConfigMapp")


def test_an_object_in_two_packages_is_told_before_anything_is_written(world: World) -> None:
    same = config_map("default", "same", k="1")
    with pytest.raises(InputError, match=r"ConfigMap default/same: one \(inline\[0\]\) and two \(inline\[1\]\)"):
        world.run_all(entry("one", same), entry("two", config_map("default", "b", k="1"), same), entry("three"))
    assert world.writes() == []


def test_nothing_to_do_in_many_packages_asks_only_for_metadata(world: World) -> None:
    world.run_all(entry("a"), entry("b"))
    world.cluster.requests = 0
    world.run_all(entry("a"), entry("b"))
    assert world.cluster.requests == 4  # for each the record, and one list of ConfigMaps
