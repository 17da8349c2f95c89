# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory with the controller that binds claims to volumes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster import spec
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.node import AWAITED, awaited_by_drain
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spec import VOLUMES
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.volumes import RECORD
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import Live
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Resource
from ansible_collections.hearth.cluster.plugins.modules import volume_move as module

from tests.support import nodes
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from .kube_module import Killed, Runner, RunnerFor, assert_documented

KINDS = {each.kind: each for each in BUILT_IN}
DB = "StatefulSet default/db"
OLD, NEW = "/var/lib/rancher/k3s/storage/pv", "/var/lib/rancher/k3s/storage/pv.moved-1"


class Cluster(FakeCluster):
    """Three nodes, a claim whose volume lies on pi2, and a pod that waits for it."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.writes_left: int | None = None
        super().__init__()
        for name in ("pi1", "pi2", "pi3"):
            live = nodes.node(name)
            addresses = (f"10.0.0.{name[-1]}", f"fd00::{name[-1]}")
            live["status"]["addresses"] = [{"type": "InternalIP", "address": each} for each in addresses]
            self.put(live)
        volume = nodes.local_volume("pv", "pi2")
        volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
        volume["metadata"]["finalizers"] = ["kubernetes.io/pv-protection"]
        self.put(volume, nodes.claim("data", "pv"))
        self.put(
            stateful_set(), nodes.pod("db-0", "", owner="StatefulSet", phase="Pending", volumes=nodes.uses("data"))
        )

    def put(self, *objects: dict[str, Any]) -> None:
        for each in objects:
            self.apply(KINDS[each["kind"]], each, manager="somebody")
        self.writes.clear()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def _store(self, resource: Resource, namespace: str, name: str, content: dict[str, Any]) -> None:
        self._die_in_time()
        super()._store(resource, namespace, name, content)
        self._bind()

    def _remove(self, resource: Resource, live: Live) -> None:
        self._die_in_time()
        super()._remove(resource, live)

    def _die_in_time(self) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise Killed

    def _bind(self) -> None:
        """A claim is bound while there is a volume of its name, which is bound then too."""
        claim, volume = self.claim, self.volume
        if claim and volume:
            claim["status"] = volume["status"] = {"phase": "Bound"}
        elif claim:
            claim["status"] = {"phase": "Lost"}

    @property
    def volume(self) -> dict[str, Any]:
        return self.objects.get(("", "PersistentVolume", "", "pv"), {})

    @property
    def claim(self) -> dict[str, Any]:
        return self.objects.get(("", "PersistentVolumeClaim", "default", "data"), {})


def stateful_set(*, ready: int = 1) -> dict[str, Any]:
    live = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"}}
    return live | {
        "spec": {"serviceName": "db"},
        "status": {"replicas": 1, "readyReplicas": ready, "currentReplicas": 1},
    }


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    fake = Cluster()
    fake.pass_time = fake.sleep
    monkeypatch.setattr(spec, "cluster_for", lambda _params: fake)
    monkeypatch.setattr(spec, "real_clock", lambda: Clock(lambda: fake.slept, fake.sleep))
    return fake


@pytest.fixture
def run(cluster: Cluster, runner_for: RunnerFor) -> Runner:
    return runner_for(module)


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every warning of the test's runs."""
    found: list[str] = []
    monkeypatch.setattr(module.DiscreetModule, "warn", lambda _module, warning: found.append(warning))
    return found


def move(run: Runner, **more: Any) -> dict[str, Any]:
    return run(**{"node": "pi2", "to": "pi3", "state": "moved", "wait_timeout": 5, **more})


def assert_moved(cluster: Cluster, uid: str) -> None:
    spec_now = cluster.volume["spec"]
    assert spec_now["hostPath"]["path"] == NEW
    (term,) = spec_now["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["pi3"]
    assert spec_now["persistentVolumeReclaimPolicy"] == "Delete"
    assert cluster.claim["metadata"]["uid"] == spec_now["claimRef"]["uid"] == uid
    assert RECORD not in cluster.claim["metadata"].get("annotations", {})


def test_a_plan_changes_nothing(run: Runner, cluster: Cluster, warned: list[str]) -> None:
    answer = run(node="pi2")
    assert (answer["changed"], cluster.writes) == (False, [])
    assert (answer["nodes"], answer["message"]) == (["pi1", "pi3"], "Node pi2: 1 volume to move to pi1 or pi3")
    (found,) = answer["moves"]
    assert (found["claim"], found["path"], found["new_path"]) == ("default/data", OLD, NEW)
    assert (answer["to"], "Name it with to: pi1 or pi3" in run(node="pi2", state="moved")["msg"]) == ("", True)
    chosen = run(node="pi2", measured={"pi2": {"stored": {OLD: 5}}, "pi1": {"room": 9}, "pi3": {"room": 7}})
    assert (chosen["to"], chosen["address"]) == ("pi1", "10.0.0.1")
    begun = {"pi2": {"stored": {OLD: 5}}, "pi1": {"room": 9, "left": 2_000_000}, "pi3": {"room": 7}}
    run(node="pi2", to="pi3", measured=begun)
    assert ["Node pi1 holds 2 MB that an earlier run has copied there" in each for each in warned] == [True]


def test_a_claim_uses_its_copy_and_stays_the_claim_it_was(run: Runner, cluster: Cluster) -> None:
    uid = cluster.claim["metadata"]["uid"]
    assert move(run, _ansible_check_mode=True)["message"] == "Node pi2: 1 volume to move to pi3"
    assert cluster.writes == []
    answer = move(run)
    assert (answer["changed"], answer["message"]) == (True, "Node pi2: 1 volume moved to pi3, 1 workload healthy there")
    assert [each["path"] for each in answer["old_copies"]] == [OLD]
    assert_moved(cluster, uid)
    cluster.writes.clear()
    again = move(run)
    assert (again["changed"], again["message"]) == (False, "Node pi2: no volume to move")
    assert cluster.writes == []


@pytest.mark.parametrize("writes", range(9))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(run: Runner, cluster: Cluster, writes: int) -> None:
    uid = cluster.claim["metadata"]["uid"]
    cluster.writes_left = writes
    try:
        move(run)
    except Killed:
        assert writes < 8
    cluster.writes_left = None
    assert OLD in json.dumps([cluster.volume, cluster.claim])  # where the data are is written down at any moment
    move(run)
    assert_moved(cluster, uid)


def killed_while_it_waits(run: Runner, cluster: Cluster, **more: Any) -> list[str]:
    """Which workloads the drain of the next run will wait for."""

    def killed(_seconds: float) -> None:
        raise Killed

    cluster.pass_time = killed
    with pytest.raises(Killed):
        move(run, **more)
    cluster.pass_time = cluster.sleep
    assert_moved(cluster, cluster.claim["metadata"]["uid"])
    return [str(each) for each in awaited_by_drain(cluster.objects["", "Node", "", "pi2"])]


def test_a_run_that_is_killed_while_it_waits_leaves_a_note_for_the_drain_of_the_next(
    run: Runner, cluster: Cluster
) -> None:
    cluster.put(stateful_set(ready=0), nodes.node("pi2", unschedulable=True))
    assert killed_while_it_waits(run, cluster) == [DB]


@pytest.mark.parametrize(("closed", "before"), [(False, "well"), (True, "unknown")])
def test_no_note_is_left_on_an_open_node_nor_of_what_need_not_be_well(
    run: Runner, cluster: Cluster, closed: bool, before: str
) -> None:
    cluster.put(stateful_set(ready=0), nodes.node("pi2", **({"unschedulable": True} if closed else {})))
    assert killed_while_it_waits(run, cluster, health_before={DB: before}) == []


def test_a_run_that_has_waited_leaves_no_note(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.node("pi2", unschedulable=True))
    assert move(run)["message"] == "Node pi2: 1 volume moved to pi3, 1 workload healthy there"
    assert "patch Node pi2" in cluster.writes
    assert AWAITED not in cluster.objects["", "Node", "", "pi2"]["metadata"].get("annotations", {})


def test_of_a_workload_that_starts_with_its_volume_moved_nobody_knows_how_it_was(run: Runner, cluster: Cluster) -> None:
    cluster.writes_left = 6  # all but the last
    with pytest.raises(Killed):
        move(run)
    cluster.writes_left = None
    starting = nodes.pod("db-0", "pi3", owner="StatefulSet", phase="Pending", volumes=nodes.uses("data"))
    cluster.put(stateful_set(ready=0), starting)
    assert run(node="pi2")["health"] == {DB: "unknown"}


def test_a_pod_that_came_back_keeps_its_volume(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("db-1", "pi2", owner="StatefulSet", volumes=nodes.uses("data")))
    answer = move(run)
    assert answer["reason"] == "in_use"
    assert "pods use it again: default/db-1" in answer["msg"]
    assert cluster.writes == []


def test_a_plan_notes_how_the_workloads_are(run: Runner, cluster: Cluster) -> None:
    assert run(node="pi2")["health"] == {DB: "well"}
    cluster.put(stateful_set(ready=0))
    assert run(node="pi2")["health"] == {DB: "unknown"}  # its pod has no node, as after a drain that was cut short
    pod = nodes.pod("db-0", "pi2", owner="StatefulSet", phase="Pending", volumes=nodes.uses("data"))
    cluster.put(pod)
    assert run(node="pi2")["health"] == {DB: "ill"}
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.org/keeper"]}
    cluster.put({**pod, "metadata": {**pod["metadata"], **ending}})
    assert run(node="pi2")["health"] == {DB: "unknown"}


def test_what_was_ill_before_is_not_waited_for(run: Runner, cluster: Cluster, warned: list[str]) -> None:
    cluster.put(stateful_set(ready=0))
    answer = move(run, health_before={DB: "ill"})
    assert answer["message"] == "Node pi2: 1 volume moved to pi3"
    assert warned == [f"{DB} was not healthy before its pods were stopped, so it was not waited for"]
    assert cluster.slept < 5


def test_what_an_earlier_run_has_stopped_is_waited_for_and_need_not_have_been_well(
    run: Runner, cluster: Cluster, warned: list[str]
) -> None:
    cluster.put(stateful_set(ready=0))
    answer = move(run, health_before={DB: "unknown"})
    assert answer["message"] == "Node pi2: 1 volume moved to pi3"
    assert [each.partition(", for")[0] for each in warned] == [
        f"{DB} is not healthy on node pi3, and how it was before is not known"
    ]
    assert cluster.slept >= 5


@pytest.mark.parametrize("before", [{DB: "well"}, {}], ids=["was well", "nothing is said"])
def test_what_was_well_before_must_be_well_again(run: Runner, cluster: Cluster, before: dict[str, str]) -> None:
    cluster.put(stateful_set(ready=0))
    answer = move(run, health_before=before)
    assert (answer["failed"], answer["reason"], DB in answer["msg"]) == (True, "timeout", True)


def test_without_a_wait_nothing_is_said_of_health(run: Runner) -> None:
    assert move(run, wait_timeout=0)["message"] == "Node pi2: 1 volume moved to pi3"


def test_what_is_left_behind_is_named_and_forgotten_once_it_is_gone(run: Runner, cluster: Cluster) -> None:
    move(run)
    left = [{"claim": "default/data", "node": "pi2", "path": OLD}]
    foretold = run(node="pi2", state="cleaned", _ansible_check_mode=True)
    assert (foretold["old_copies"], foretold["message"]) == (left, "Node pi2: 1 old copy to forget")
    assert run(node="pi2", state="cleaned")["old_copies"] == left
    again = run(node="pi2", state="cleaned")
    assert (again["changed"], again["old_copies"]) == (False, [])


def test_what_cannot_move_is_refused(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("db-0", "pi2", owner="DaemonSet", volumes=nodes.uses("data")))
    answer = run(node="pi2")
    assert answer["reason"] == "obstacles"
    assert "claim default/data: pod default/db-0 uses it, which DaemonSet db runs on every node" in answer["msg"]


def test_documentation_and_options_agree() -> None:
    assert_documented(module, {**CONNECTION, **VOLUMES})
