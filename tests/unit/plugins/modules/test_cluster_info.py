# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory with the nodes of a k3s cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spec import CLUSTER_INFO
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._kube.port import Page
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.modules import cluster_info as module

from tests.support import nodes
from tests.support.contract import definition
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from .kube_module import Runner, RunnerFor, assert_documented

KINDS = {each.kind: each for each in BUILT_IN}
SHAPE = {"changed", "version", "ready", "failing_checks", "nodes", "etcd", "pods", "workloads", "deprecated_apis"}


@pytest.fixture
def run(runner_for: RunnerFor) -> Runner:
    return runner_for(module)


def server(name: str, voter: str | None = "True", *, ready: bool = True) -> dict[str, Any]:
    """A server with embedded etcd, as k3s marks it."""
    labels = {"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true"}
    live = nodes.node(name, labels=labels, ready=ready)
    live["metadata"]["annotations"] = {
        "etcd.k3s.cattle.io/node-name": f"{name}-1a2b",
        "etcd.k3s.cattle.io/node-address": "10.0.0.1",
    }
    if voter:
        said = {"type": "EtcdIsVoter", "status": voter, "reason": "MemberNotLearner", "message": f"voter: {voter}"}
        live["status"]["conditions"].append(said)
    return live


def put(cluster: FakeCluster, *objects: dict[str, Any]) -> None:
    for each in objects:
        cluster.apply(KINDS[each["kind"]], each, manager="somebody")


def test_nodes_are_told_with_versions_roles_addresses_and_conditions(run: Runner, cluster: FakeCluster) -> None:
    agent = nodes.node("pi3", unschedulable=True, taints=[{"key": "a", "effect": "NoSchedule"}])
    agent["status"] |= {
        "nodeInfo": {"kubeletVersion": "v1.36.3+k3s1", "architecture": "arm64", "osImage": "Debian"},
        "addresses": [{"type": "InternalIP", "address": "10.0.0.3"}],
    }
    put(cluster, agent, server("pi1"), nodes.pod("web-1", "pi3"))
    answer = run()
    assert set(answer) - {"invocation"} == SHAPE
    first, second = answer["nodes"]
    assert (first["name"], first["roles"], first["cordoned"]) == ("pi1", ["control-plane", "etcd"], False)
    assert (second["name"], second["roles"], second["cordoned"]) == ("pi3", [], True)
    assert (second["version"], second["architecture"], second["pods"]) == ("v1.36.3+k3s1", "arm64", 1)
    assert second["addresses"] == [{"type": "InternalIP", "address": "10.0.0.3"}]
    assert second["taints"] == [{"key": "a", "value": "", "effect": "NoSchedule"}]
    assert [(each["type"], each["status"]) for each in second["conditions"]] == [("Ready", "True")]


@pytest.mark.parametrize(
    ("servers", "voters", "quorum", "can_lose"),
    [
        ([], [], 0, 0),
        ([server("pi1")], ["pi1"], 1, 0),
        ([server("pi1"), server("pi2"), server("pi3")], ["pi1", "pi2", "pi3"], 2, 1),
        ([server("pi1"), server("pi2"), server("pi3", "False")], ["pi1", "pi2"], 2, 0),
        ([server("pi1"), server("pi2"), server("pi3", None)], ["pi1", "pi2"], 2, 0),
        ([server("pi1"), server("pi2"), server("pi3", ready=False)], ["pi1", "pi2", "pi3"], 2, 0),
    ],
    ids=["sqlite", "one", "three", "a-learner", "a-newcomer", "one-is-down"],
)
def test_etcd_is_told_with_what_it_can_lose(
    run: Runner, cluster: FakeCluster, servers: list[dict[str, Any]], voters: list[str], quorum: int, can_lose: int
) -> None:
    put(cluster, *servers)
    etcd = run()["etcd"]
    assert (etcd["voters"], etcd["quorum"], etcd["can_lose"]) == (voters, quorum, can_lose)
    assert [each["node"] for each in etcd["members"]] == [each["metadata"]["name"] for each in servers]


def test_a_member_nobody_has_spoken_of_is_no_learner_yet(run: Runner, cluster: FakeCluster) -> None:
    put(cluster, server("pi1", None))
    assert run()["etcd"]["members"] == [
        {"node": "pi1", "name": "pi1-1a2b", "address": "10.0.0.1", "voter": None, "message": ""}
    ]


def test_pods_are_counted_and_those_that_are_ill_are_named(run: Runner, cluster: FakeCluster) -> None:
    put(
        cluster,
        nodes.pod("web-1"),
        nodes.pod("job-1", owner="Job", phase="Succeeded"),
        nodes.pod("job-2", owner="Job", phase="Failed"),
    )
    pods = run()["pods"]
    assert (pods["total"], pods["phases"]["Running"], pods["phases"]["Pending"]) == (3, 1, 0)
    assert [(each["name"], each["node"], each["status"]) for each in pods["unhealthy"]] == [("job-2", "pi2", "Failed")]


def test_a_pod_is_owned_by_its_deployment_rather_than_by_the_replica_set_of_the_day(
    run: Runner, cluster: FakeCluster
) -> None:
    hashed = {"pod-template-hash": "6d4cf"}
    put(
        cluster,
        nodes.pod("web-6d4cf-x", phase="Pending", labels=hashed),
        nodes.pod("bare-x", phase="Pending"),
        nodes.pod("db-0", phase="Failed", owner="StatefulSet"),
    )
    told = {each["name"]: (each["owner"], each["phase"]) for each in run()["pods"]["unhealthy"]}
    assert told == {
        "web-6d4cf-x": ("Deployment web", "Pending"),
        "bare-x": ("ReplicaSet bare", "Pending"),
        "db-0": ("StatefulSet db", "Failed"),
    }


def test_workloads_that_lack_healthy_pods_are_named(run: Runner, cluster: FakeCluster) -> None:
    put(cluster, nodes.deployment("web"), nodes.deployment("api", replicas=2, ready=1))
    told = run()["workloads"]
    assert (told["total"], told["known"]) == (2, True)
    assert told["unhealthy"] == [
        {
            "kind": "Deployment",
            "namespace": "default",
            "name": "api",
            "status": "InProgress",
            "message": "1 of 2 replicas are available",
        }
    ]


def test_workloads_that_one_may_not_list_are_not_known(
    run: Runner, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cluster, nodes.deployment("api", ready=0))
    listed = cluster.list

    def refused(collection: Collection, **how: Any) -> Any:
        if collection.resource.kind == "DaemonSet":
            raise RefusedError("forbidden", Reason.FORBIDDEN, status=403)
        return listed(collection, **how)

    monkeypatch.setattr(cluster, "list", refused)
    told = run()["workloads"]
    assert (told["known"], [each["name"] for each in told["unhealthy"]]) == (False, ["api"])


def test_checks_that_fail_are_named(run: Runner, cluster: FakeCluster) -> None:
    assert (run()["ready"], run()["failing_checks"]) == (True, [])
    text = "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\nreadyz check failed\n"
    cluster.pages["/readyz"] = Page(500, text)
    answer = run()
    assert (answer["ready"], answer["failing_checks"]) == (False, ["etcd"])


def test_deprecated_apis_are_told_by_the_server_and_by_the_objects(run: Runner, cluster: FakeCluster) -> None:
    unknown = run()["deprecated_apis"]
    assert (unknown["requests_known"], unknown["requested"], unknown["objects"]) == (False, [], [])
    line = 'apiserver_requested_deprecated_apis{group="g",removed_release="1.38",resource="r",version="v1beta1"} 1\n'
    cluster.pages["/metrics"] = Page(200, line)
    group = "storage.k8s.io"
    put(cluster, definition(group, "VolumeAttributesClass"))
    resource = cluster.catalogue().preferred(group, "VolumeAttributesClass")
    assert resource is not None
    applied = json.dumps({"apiVersion": f"{group}/v1beta1"})
    metadata = {
        "name": "fast",
        "namespace": "default",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
    }
    cluster.apply(resource, {"apiVersion": f"{group}/v1", "kind": "VolumeAttributesClass", "metadata": metadata})
    told = run()["deprecated_apis"]
    assert told["requested"] == [{"group": "g", "version": "v1beta1", "resource": "r", "removed_in": "1.38"}]
    (found,) = told["objects"]
    assert (found["name"], found["api_version"], found["removed_in"]) == ("fast", f"{group}/v1beta1", "1.37")


def test_deprecated_apis_are_not_looked_for_where_nobody_wants_to_know(
    run: Runner, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = set(run()["deprecated_apis"])
    asked: list[str] = []
    monkeypatch.setattr(cluster, "page", lambda path: asked.append(path) or Page(200, "ok"))
    told = run(deprecated_apis=False)["deprecated_apis"]
    assert (set(told), any(told.values()), asked) == (usual, False, ["/readyz?verbose"])


def test_documentation_and_options_agree() -> None:
    assert_documented(module, {**CONNECTION, **CLUSTER_INFO})
