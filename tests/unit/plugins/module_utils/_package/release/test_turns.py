# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: who waits, whose turn is over, and what becomes of a turn that was taken away."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.release import turns
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.process import is_gone, this_runner
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.turns import Runner, Turn, Turns

from tests.support.fake_cluster import FakeCluster

LEASE = ("coordination.k8s.io", "Lease", "kube-system", "hearth-p")


class Place:
    """A cluster, a clock, and runners that come to it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.now = 0.0
        self.dead: set[str] = set()
        self.lines: list[str] = []
        self.while_waiting: list[Any] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.while_waiting:
            self.while_waiting.pop(0)()

    def turns(self, name: str) -> Turns:
        runner = Runner(
            f"{name}@here/k/1/x", f"turn-{name}", lambda: f"at {self.now:.1f}", lambda who: who in self.dead
        )
        return Turns(self.cluster, Clock(lambda: self.now, self.sleep), runner, self.lines.append)

    @property
    def holder(self) -> str:
        lease = self.cluster.objects.get(LEASE)
        return lease["spec"]["holderIdentity"].partition("@")[0] if lease else ""


@pytest.fixture
def place() -> Place:
    return Place()


def left_behind(place: Place, name: str) -> None:
    """A run that took its turn and was killed."""
    place.turns(name)._apply("p")


def test_a_turn_is_taken_and_given_back(place: Place) -> None:
    with place.turns("one").take("p") as turn:
        assert place.holder == "one"
        turn.check()
    assert place.holder == ""


def test_who_comes_second_waits_until_the_first_has_ended(place: Place) -> None:
    first = place.turns("one").take("p")
    first.__enter__()
    place.while_waiting = [lambda: None, lambda: first.__exit__(None, None, None)]
    with place.turns("two").take("p"):
        assert place.holder == "two"
    assert place.now == 2
    assert place.lines == ["package p: waiting for a run of one@here, who is working on it"]


def test_who_waits_too_long_stops_and_says_for_whom(place: Place) -> None:
    left_behind(place, "one")
    place.while_waiting = [lambda: left_behind(place, "one")] * 200  # it renews its turn all the time
    with (
        pytest.raises(ClusterError, match="a run of one@here is working on this package right now") as error,
        place.turns("two").take("p"),
    ):
        raise AssertionError("this is never its turn")
    assert error.value.details["reason"] == "busy"
    assert place.holder == "one"


def test_the_turn_of_a_process_that_is_gone_is_over_at_once(place: Place) -> None:
    left_behind(place, "one")
    place.dead.add("one@here/k/1/x")
    with place.turns("two").take("p"):
        assert (place.holder, place.now) == ("two", 0)


def test_a_turn_that_stands_still_is_over(place: Place) -> None:
    left_behind(place, "one")
    with place.turns("two").take("p"):
        assert (place.holder, place.now) == ("two", 15)


def test_a_turn_that_was_taken_away_is_not_given_back(place: Place) -> None:
    with place.turns("one").take("p") as turn:
        place.turns("two")._apply("p", over=place.cluster.objects[LEASE]["metadata"]["resourceVersion"])
        turn.lose()
        with pytest.raises(ClusterError, match="another run is working on this package"):
            turn.check()
    assert place.holder == "two"


def test_who_holds_a_turn_renews_it_and_notices_that_it_was_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_SECONDS_BETWEEN_RENEWALS", 0.01)
    with place.turns("one").take("p") as turn:
        place.now = 7
        until(lambda: place.cluster.objects[LEASE]["spec"]["renewTime"] == "at 7.0" or None, turn)
        place.turns("two")._apply("p", over=place.cluster.objects[LEASE]["metadata"]["resourceVersion"])
        with pytest.raises(ClusterError, match="another run is working on this package"):
            until(lambda: None, turn)
    assert place.holder == "two"


def until(found: Callable[[], Any], turn: Turn) -> None:
    """Look for a second at what the thread that renews does; an error of the turn ends it."""
    for _attempt in range(100):
        if found():
            return
        time.sleep(0.01)
        turn.check()


def test_only_what_surely_ended_here_is_gone() -> None:
    name = this_runner().name
    user_and_host, kernel, process, mark = name.split("/")
    assert int(process) == os.getpid()
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not is_gone(name)
    assert not is_gone("/".join([user_and_host, "another-kernel", str(ended.pid), mark]))
    assert not is_gone("somebody")
    if kernel:
        assert is_gone("/".join([user_and_host, kernel, str(ended.pid), mark]))
