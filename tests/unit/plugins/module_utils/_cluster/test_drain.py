# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of which pod, decided from lists of objects alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import (
    DrainPlan,
    Fate,
    Policy,
    Sight,
    plan_drain,
    refusal_text,
)

from tests.support.nodes import budget, claim, local_volume, node, pod, uses

NODES = [node("pi1"), node("pi2"), node("pi3")]


def drain(*pods: dict[str, Any], policy: Policy | None = None, **seen: Any) -> DrainPlan:
    sight = Sight(**{"nodes": NODES, "pods": pods, **seen})
    return plan_drain("pi2", sight, policy or Policy())


def test_only_pods_of_the_node_are_looked_at() -> None:
    plan = drain(pod("web-1"), pod("web-2", "pi1"))
    assert [verdict.name for verdict in plan.verdicts] == ["default/web-1"]


@pytest.mark.parametrize(
    ("live", "policy", "fate"),
    [
        (pod("web-1"), Policy(), Fate.EVICT),
        (pod("etcd-pi2", owner="Node", annotations={"kubernetes.io/config.mirror": "x"}), Policy(), Fate.LEAVE),
        (pod("log-1", owner="DaemonSet"), Policy(), Fate.LEAVE),
        (pod("job-1", owner="Job", phase="Succeeded"), Policy(), Fate.LEAVE),
        (pod("job-1", owner="Job", phase="Failed"), Policy(finished_pods="evict"), Fate.EVICT),
        (pod("bare", owner=None, phase="Succeeded"), Policy(), Fate.LEAVE),
        (pod("web-1", going=True), Policy(), Fate.GOING),
        (pod("bare", owner=None), Policy(unmanaged_pods="evict"), Fate.EVICT),
        (pod("bare", owner=None), Policy(unmanaged_pods="leave"), Fate.LEAVE),
        (pod("web-1", volumes=[{"name": "tmp", "emptyDir": {}}]), Policy(), Fate.EVICT),
        (pod("web-1", volumes=[{"name": "tmp", "emptyDir": {}}]), Policy(empty_dirs="leave"), Fate.LEAVE),
        (pod("web-1", nodeSelector={"disk": "ssd"}), Policy(immovable_pods="evict"), Fate.EVICT),
        (pod("web-1", nodeSelector={"disk": "ssd"}), Policy(immovable_pods="leave"), Fate.LEAVE),
    ],
)
def test_every_class_of_pods_has_its_policy(live: dict[str, Any], policy: Policy, fate: Fate) -> None:
    (verdict,) = drain(live, policy=policy).verdicts
    assert (verdict.fate, verdict.refused) == (fate, ())


@pytest.mark.parametrize(
    ("live", "policy", "told"),
    [
        (pod("bare", owner=None), Policy(), "no controller would make it again elsewhere (unmanaged_pods: evict"),
        (pod("log-1", owner="DaemonSet"), Policy(daemon_sets="refuse"), "DaemonSet log runs it on every node"),
        (pod("job-1", phase="Failed"), Policy(finished_pods="refuse"), "it has ended (finished_pods"),
        (
            pod("web-1", volumes=[{"name": "tmp", "emptyDir": {}}]),
            Policy(empty_dirs="refuse"),
            "what it keeps in emptyDir tmp is lost (empty_dirs: evict",
        ),
        (pod("web-1", nodeSelector={"disk": "ssd"}), Policy(), "pi1 has not the label disk=ssd; pi3 has not"),
    ],
)
def test_what_is_refused_is_named_with_its_way_out(live: dict[str, Any], policy: Policy, told: str) -> None:
    plan = drain(live, policy=policy)
    assert plan.refused
    text = refusal_text(plan)
    assert f"pod default/{live['metadata']['name']}: " in text
    assert told in text


def test_all_that_stands_in_the_way_is_said_at_once() -> None:
    text = refusal_text(drain(pod("bare", owner=None, nodeSelector={"disk": "ssd"}), pod("other", owner=None)))
    assert text.startswith("Node pi2 cannot be drained, 2 pods stand in the way:\n")
    assert text.count("no controller") == 2
    assert "disk=ssd" in text


def test_the_strictest_word_counts() -> None:
    live = pod("bare", owner=None, volumes=[{"name": "tmp", "emptyDir": {}}])
    assert drain(live, policy=Policy(unmanaged_pods="leave")).verdicts[0].fate is Fate.LEAVE
    assert drain(live, policy=Policy(unmanaged_pods="leave", empty_dirs="refuse")).refused


def test_a_volume_that_lies_on_the_node_pins_its_pod_and_is_named() -> None:
    sight = {"claims": [claim("data", "pvc-1")], "volumes": [local_volume("pvc-1", "pi2")]}
    text = refusal_text(drain(pod("db-0", owner="StatefulSet", volumes=uses("data")), **sight))
    assert "pod default/db-0: its data cannot move" in text
    assert "volume pvc-1 (claim default/data, /var/lib/rancher/k3s/storage/pvc-1) can be used on no other node" in text


@pytest.mark.parametrize(
    "sight",
    [
        {"claims": [claim("data", "")], "volumes": []},
        {"claims": [claim("data", "nfs")], "volumes": [{"metadata": {"name": "nfs"}, "spec": {"nfs": {}}}]},
        {"claims": [claim("data", "pvc-1")], "volumes": [local_volume("pvc-1", "pi3")]},
        {},
    ],
    ids=["not-bound-yet", "anywhere", "elsewhere", "no-claim"],
)
def test_a_volume_that_another_node_can_use_pins_nothing(sight: dict[str, Any]) -> None:
    assert not drain(pod("db-0", owner="StatefulSet", volumes=uses("data")), **sight).refused


def test_a_generic_ephemeral_volume_pins_as_well() -> None:
    live = pod("web-1", volumes=[{"name": "cache", "ephemeral": {}}])
    plan = drain(live, claims=[claim("web-1-cache", "pvc-1")], volumes=[local_volume("pvc-1", "pi2")])
    assert "claim default/web-1-cache" in refusal_text(plan)


@pytest.mark.parametrize(
    ("budgets", "told"),
    [
        ([budget("it", 1, 1)], "default/it (minAvailable: 1) forbids it for ever: it wants 1 healthy of 1"),
        ([budget("it", 3, 3, maxUnavailable=0, minAvailable=None)], "default/it (maxUnavailable: 0) forbids it"),
        ([budget("a", 3, 1), budget("b", 3, 1)], "the disruption budgets default/a and default/b are over it"),
    ],
)
def test_a_budget_that_never_lets_a_pod_go_stands_in_the_way(budgets: list[dict[str, Any]], told: str) -> None:
    live = pod("web-1", labels={"app": "web"})
    assert told in refusal_text(drain(live, budgets=budgets))
    (verdict,) = drain(live, budgets=budgets, policy=Policy(forbidding_budgets="delete")).verdicts
    assert verdict.fate is Fate.DELETE


def test_a_budget_that_cannot_count_its_pods_never_lets_one_go() -> None:
    sick = budget("it", 0, 0)
    sick["status"]["conditions"] = [
        {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "found no controller"}
    ]
    told = refusal_text(drain(pod("web-1", labels={"app": "web"}), budgets=[sick]))
    assert "its pods cannot be counted: found no controller" in told


@pytest.mark.parametrize(
    "rule",
    [
        budget("it", 3, 2),
        budget("it", 1, 1, app="other"),
        budget("it", 1, 1, selector=None),
        {**budget("it", 1, 1), "metadata": {"name": "it", "namespace": "elsewhere", "generation": 1}},
        {**budget("it", 1, 1), "status": {}},
    ],
    ids=["has-one-to-spare", "other-app", "no-selector", "other-namespace", "not-counted-yet"],
)
def test_other_budgets_stand_in_nobodys_way(rule: dict[str, Any]) -> None:
    assert not drain(pod("web-1", labels={"app": "web"}), budgets=[rule]).refused


def test_a_pod_that_serves_nobody_goes_where_its_budget_says_so() -> None:
    ill = pod("web-1", labels={"app": "web"})
    ill["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    strict, lax = budget("it", 1, 1), budget("it", 1, 1, unhealthyPodEvictionPolicy="AlwaysAllow")
    strict["status"]["currentHealthy"] = 0
    assert drain(ill, budgets=[strict]).refused
    assert not drain(ill, budgets=[lax]).refused


def test_a_pod_that_does_not_run_yet_is_under_no_budget() -> None:
    assert not drain(pod("web-1", labels={"app": "web"}, phase="Pending"), budgets=[budget("it", 1, 1)]).refused


def test_what_one_should_know_about_a_pod_that_goes_is_said() -> None:
    volumes = [{"name": name, "hostPath": {"path": path}} for name, path in (("a", "/srv/data"), ("b", "/etc/ssl"))]
    job, web = drain(pod("job-1", owner="Job"), pod("web-1", volumes=volumes)).verdicts
    assert (job.fate, job.reason) == (Fate.EVICT, "its Job begins anew")
    assert (web.fate, web.reason) == (Fate.EVICT, "/srv/data of this machine does not move with it")


def test_what_will_not_run_again_is_not_waited_for() -> None:
    policy = Policy(unmanaged_pods="evict", immovable_pods="evict")
    plan = drain(pod("bare", owner=None), pod("ssd-1", nodeSelector={"disk": "ssd"}), pod("web-1"), policy=policy)
    assert {verdict.name: verdict.returns for verdict in plan.verdicts} == {
        "default/bare": False,
        "default/ssd-1": False,
        "default/web-1": True,
    }
