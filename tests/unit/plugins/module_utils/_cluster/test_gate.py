# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one may go on to the next machine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.gate import lacking, removed_by
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.node import OUT_OF_SERVICE, RETURNED
from ansible_collections.hearth.cluster.plugins.module_utils._k3s import machines


def pod(name: str, owner: str = "Deployment blog", **differences: str) -> dict[str, str]:
    usual = {"namespace": "blog", "name": name, "owner": owner, "node": "pi1", "phase": "Running", "status": "Failed"}
    return {**usual, "message": "CrashLoopBackOff", **differences}


def workload(kind: str, name: str = "blog") -> dict[str, str]:
    lacks = "0 of 1 replicas are created"
    return {"kind": kind, "namespace": "blog", "name": name, "status": "InProgress", "message": lacks}


def node(name: str, *, ready: bool = True, **labels: str) -> dict[str, Any]:
    return {"name": name, "ready": ready, "labels": labels}


def info(**differences: Any) -> dict[str, Any]:
    usual = {
        "ready": True,
        "failing_checks": [],
        "nodes": [node("pi1")],
        "etcd": {"members": [{"node": "pi1", "voter": True, "message": ""}]},
        "pods": {"unhealthy": []},
        "workloads": {"unhealthy": []},
    }
    return {**usual, **differences}


def test_a_cluster_that_is_as_it_was_lacks_nothing() -> None:
    assert lacking(info(), info()) == []


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"ready": False, "failing_checks": ["etcd"]}, "API server is not ready (etcd)"),
        ({"nodes": [node("pi2", ready=False)]}, "node pi2 is not Ready"),
        ({"etcd": {"members": [{"node": "pi3", "voter": None, "message": ""}]}}, "pi3 is not a voting member"),
        ({"pods": {"unhealthy": [pod("blog-5-a")]}}, "pod blog/blog-5-a: CrashLoopBackOff"),
        (
            {"workloads": {"unhealthy": [workload("StatefulSet")]}},
            "StatefulSet blog/blog: 0 of 1 replicas are created",
        ),
    ],
)
def test_what_it_lacks_is_named(difference: dict[str, Any], words: str) -> None:
    (sentence,) = lacking(info(**difference), info())
    assert words in sentence


def test_what_was_ill_before_may_be_ill_still_under_another_name() -> None:
    before, now = info(pods={"unhealthy": [pod("blog-5-a")]}), info(pods={"unhealthy": [pod("blog-5-b")]})
    assert lacking(now, before) == []


def test_a_pod_of_a_daemon_set_that_was_ill_excuses_none_on_another_node() -> None:
    pulling = {"pods": {"unhealthy": [pod("log-a", "DaemonSet log")]}}
    before = info(**pulling, workloads={"unhealthy": [workload("DaemonSet", "log")]})
    assert lacking(before, before) == []
    (sentence,) = lacking(info(pods={"unhealthy": [pod("log-b", "DaemonSet log", node="pi2")]}), before)
    assert "blog/log-b" in sentence


def test_a_workload_that_was_ill_may_be_ill_still_with_pods_or_without() -> None:
    with_pod, without = (
        info(pods={"unhealthy": [pod("blog-5-a")]}),
        info(workloads={"unhealthy": [workload("Deployment")]}),
    )
    assert lacking(with_pod, without) == []
    assert lacking(without, with_pod) == []
    assert lacking(info(workloads={"unhealthy": [workload("StatefulSet")]}), with_pod)


def test_the_pods_of_jobs_do_not_count() -> None:
    assert lacking(info(pods={"unhealthy": [pod("backup-1-a", "Job backup-1")]}), info()) == []


def test_what_is_left_of_pods_that_have_failed_does_not_count_and_excuses_nothing() -> None:
    left = info(pods={"unhealthy": [pod("blog-5-a", phase="Failed"), pod("test", "", phase="Failed")]})
    assert lacking(left, info()) == []
    assert lacking(info(workloads={"unhealthy": [workload("Deployment")]}), left)


TAKEN_OUT = [node("pi1", **{OUT_OF_SERVICE: "playbook"})]
STOPPED = {
    "pods": {"unhealthy": [pod("db-0", "StatefulSet blog", node="", phase="Pending", message="no node can take it")]},
    "workloads": {"unhealthy": [workload("StatefulSet")]},
}
CRASHES = {"pods": {"unhealthy": [pod("db-0", "StatefulSet blog")]}}


def test_what_a_run_that_was_cut_short_has_stopped_must_be_well_again() -> None:
    before = info(nodes=TAKEN_OUT, **STOPPED)
    for now in (info(**STOPPED), info(**CRASHES)):
        assert all("if it was ill even before that, just run this again" in said for said in lacking(now, before))
        assert lacking(now, before)
    assert lacking(info(), before) == []


def test_what_was_stopped_for_a_node_that_is_back_must_be_well_until_it_was_waited_for() -> None:
    back = [node("pi1", **{OUT_OF_SERVICE: RETURNED})]
    assert lacking(info(nodes=back, **STOPPED), info(nodes=back, **STOPPED))
    assert lacking(info(nodes=back, **STOPPED), info(nodes=TAKEN_OUT, **STOPPED))
    assert lacking(info(nodes=[*back, *TAKEN_OUT], **STOPPED), info(nodes=back, **STOPPED)) == []


def test_what_is_stopped_may_be_so_as_long_as_any_node_is_out_of_service() -> None:
    assert lacking(info(nodes=TAKEN_OUT, **STOPPED), info(nodes=TAKEN_OUT, **STOPPED)) == []


def test_what_crashed_on_a_node_while_another_was_out_of_service_was_ill_before() -> None:
    assert lacking(info(**CRASHES), info(nodes=TAKEN_OUT, **CRASHES)) == []


def test_the_label_of_a_node_out_of_service_is_the_one_by_which_plans_know_it() -> None:
    assert (OUT_OF_SERVICE, RETURNED) == (machines.OUT_OF_SERVICE, machines.RETURNED)


OBJECT = {"api_version": "networking.k8s.io/v1beta1", "kind": "ServiceCIDR", "namespace": "", "name": "extra"}
REQUEST = {"group": "storage.k8s.io", "version": "v1beta1", "resource": "volumeattributesclasses"}


def test_apis_that_the_version_lacks_are_named_with_their_objects() -> None:
    used = {
        "objects": [{**OBJECT, "manager": "kubectl", "removed_in": "1.37"}],
        "requested": [{**REQUEST, "removed_in": "1.37"}, {**REQUEST, "removed_in": ""}],
    }
    assert removed_by({"deprecated_apis": used}, "v1.36.3+k3s1") == []
    written, asked = removed_by({"deprecated_apis": used}, "v1.37.0+k3s1")
    assert written.startswith("kubectl writes ServiceCIDR extra as networking.k8s.io/v1beta1")
    assert "volumeattributesclasses in storage.k8s.io/v1beta1" in asked
