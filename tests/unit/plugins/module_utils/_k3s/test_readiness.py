# SPDX-License-Identifier: GPL-3.0-or-later
"""When a node counts as being back, and when waiting is in vain."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.readiness import (
    HOPELESS_AFTER,
    Goal,
    Patience,
    Sight,
    complaint,
    is_back,
    is_gone,
    missing,
    telling,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.records import (
    record,
    three_servers,
    with_node,
)

STARTED = 1000.0
FATAL = ["level=fatal msg=failed to find memory cgroup (v2)"]
PASSING = ["connection refused"]


def node(**differences: Any) -> dict[str, Any]:
    usual = {"ready": True, "ready_message": "", "heartbeat": STARTED + 5, "etcd_voter": True, "etcd_message": ""}
    return {**usual, **differences}


def sight(**differences: Any) -> Sight:
    usual = {
        "active": "active",
        "sub": "running",
        "started_at": STARTED,
        "queued": False,
        "api_ready": True,
        "node": node(),
    }
    return Sight(**{**usual, **differences})


@pytest.mark.parametrize(
    ("seen", "lacking"),
    [
        (sight(), ""),
        (sight(active="activating", sub="start"), "the service is activating"),
        (sight(active="inactive", queued=True), "waits for other units"),
        (sight(api_ready=False), "API server does not answer"),
        (sight(node=None), "there is no Node object pi1"),
        (sight(node=None, api_ready=None), "there is no Node object pi1, or the API server does not answer"),
        (sight(node=node(ready=False, ready_message="no network")), "not Ready: no network"),
        (sight(node=node(heartbeat=STARTED - 30)), "has not reported since the start"),
        (sight(node=node(etcd_voter=False, etcd_message="learner")), "not a voting member of etcd yet: learner"),
        (sight(node=node(etcd_voter=None)), "not reported"),
    ],
)
def test_what_a_voter_still_lacks(seen: Sight, lacking: str) -> None:
    text = missing(Goal("pi1", voter=True), seen)
    assert (lacking in text) if lacking else text == ""


@pytest.mark.parametrize(
    ("differences", "back"),
    [({}, True), ({"ready": False}, False), ({"etcd_voter": False}, False), ({"heartbeat": 1900.0}, False)],
)
def test_a_server_is_back_when_the_look_has_shown_all_that_is_waited_for(
    differences: dict[str, Any], back: bool
) -> None:
    servers = with_node(three_servers(), "pi2", **differences)
    assert [is_back(each, servers) for each in servers] == [True, back, True]


def test_a_server_whose_api_does_not_answer_is_not_back_whatever_the_others_think() -> None:
    silent = record("pi2", api={"ready": False, "nodes": []})
    assert not is_back(silent, [*three_servers(), silent])


def test_a_server_knows_best_about_itself() -> None:
    first, second, _third = three_servers()
    with_node([first], "pi2", ready=False)
    assert is_back(second, [first, second])


def test_an_agent_is_back_as_the_servers_see_it() -> None:
    agent, servers = record("pi4", role="agent"), three_servers()
    assert not is_back(agent, servers)
    seen = {**servers[1]["probe"]["k3s"]["api"]["nodes"][0], "name": "pi4", "etcd_voter": None}
    servers[0]["probe"]["k3s"]["api"]["nodes"].append(seen)
    assert is_back(agent, servers)


def test_an_agent_needs_no_vote() -> None:
    assert missing(Goal("pi4"), sight(node=node(etcd_voter=None), api_ready=None)) == ""


@pytest.mark.parametrize(
    ("role", "name", "gone"), [("agent", "pi4", True), ("server", "pi5", True), ("agent", "pi2", False)]
)
def test_a_node_is_gone_when_the_servers_list_nodes_and_it_is_not_among_them(role: str, name: str, gone: bool) -> None:
    mine = record(name, role=role, api={"ready": False, "nodes": []})  # a server without its etcd has no API, either
    assert is_gone(mine, [*three_servers(), mine]) is gone


def test_where_no_server_lists_nodes_nobody_knows_whether_one_is_gone() -> None:
    agent = record("pi4", role="agent")
    assert not is_gone(agent, [record("pi1", api={"ready": False, "nodes": []}), agent])


def test_one_fatal_line_is_not_the_end() -> None:
    assert not Patience().is_exhausted(0.0, sight(active="activating"), FATAL)


def test_a_fatal_cause_that_stays_is_the_end() -> None:
    patience = Patience()
    patience.is_exhausted(0.0, sight(active="activating"), FATAL)
    assert not patience.is_exhausted(HOPELESS_AFTER - 1, sight(active="activating"), FATAL)
    assert patience.is_exhausted(HOPELESS_AFTER, sight(active="activating"), FATAL)


def test_a_fatal_cause_that_went_away_is_forgotten() -> None:
    patience = Patience()
    patience.is_exhausted(0.0, sight(active="activating"), FATAL)
    patience.is_exhausted(5.0, sight(active="activating"), [])
    assert not patience.is_exhausted(HOPELESS_AFTER + 1, sight(active="activating"), FATAL)


def test_what_heals_by_itself_is_waited_for() -> None:
    patience = Patience()
    assert not any(patience.is_exhausted(float(now), sight(active="activating"), PASSING) for now in range(300))


@pytest.mark.parametrize(("queued", "over"), [(True, False), (False, True)])
def test_a_unit_that_is_down_is_the_end_unless_its_start_is_queued(queued: bool, over: bool) -> None:
    assert Patience().is_exhausted(0.0, sight(active="inactive", queued=queued), []) is over


def test_the_error_names_unit_lack_cause_and_journal() -> None:
    text, cause = complaint("k3s.service", "the API server does not answer", 30.0, [*PASSING, *FATAL])
    assert cause is not None
    assert all(word in text for word in ("k3s.service", "30 s", "does not answer", "cmdline.txt", FATAL[0]))


def test_the_error_repeats_no_secret() -> None:
    text, _cause = complaint("k3s.service", "nothing", 1.0, [f"token K10{'a' * 64}::server:hidden"])
    assert "hidden" not in text


def test_the_errors_are_found_in_the_chatter() -> None:
    chatter = [f"I1122 chatter {number}" for number in range(50)]
    error = 'E1122 19:26:56 1 run.go:72] "command failed" err="unknown flag: --no-such-flag"'
    assert telling([*chatter, error, *chatter]) == [error, *chatter[-4:]]


def test_a_short_journal_is_shown_whole() -> None:
    assert telling(["one", "two"]) == ["one", "two"]
