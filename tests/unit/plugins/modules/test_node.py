# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory whose nodes hold pods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster import spec
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.node import AWAITED, DRAIN, OUT_OF_SERVICE
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.modules import node as module

from tests.support import nodes
from tests.support.fake_cluster import BUILT_IN, FakeCluster

from .kube_module import Killed, Runner, RunnerFor, assert_documented

KINDS = {each.kind: each for each in BUILT_IN}
SHAPE = {
    "changed",
    "message",
    "node",
    "fields",
    "evicted",
    "balanced",
    "left",
    "moved",
    "came_back",
    "unhealthy_before",
}


class Cluster(FakeCluster):
    """Three nodes, and a clock that moves when somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0
        for name in ("pi1", "pi2", "pi3"):
            self.put(nodes.node(name))

    def put(self, *objects: Mapping[str, Any]) -> None:
        for each in objects:
            self.apply(KINDS[each["kind"]], each, manager="somebody")
        self.writes.clear()

    def node(self, name: str = "pi2") -> dict[str, Any]:
        return self.objects["", "Node", "", name]

    def cordon_by_hand(self) -> None:
        self.patch(KINDS["Node"], "", "pi2", {"spec": {"unschedulable": True}}, kind="merge", manager="kubectl-cordon")
        self.writes.clear()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    @property
    def is_cordoned(self) -> bool:
        return bool((self.node().get("spec") or {}).get("unschedulable"))

    def hold(self, name: str, finalizer: str) -> None:
        self.objects["", "Pod", "default", name]["metadata"]["finalizers"] = [finalizer]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    fake = Cluster()
    fake.pass_time = fake.sleep
    monkeypatch.setattr(spec, "cluster_for", lambda _params: fake)
    monkeypatch.setattr(spec, "real_clock", lambda: Clock(lambda: fake.slept, fake.sleep))
    return fake


@pytest.fixture
def run(runner_for: RunnerFor) -> Runner:
    return runner_for(module)


def web(cluster: Cluster, *, ready: int = 1) -> None:
    """A Deployment with its pod on pi2. When the pod is evicted, another one serves on pi3."""
    cluster.put(
        nodes.deployment("web", ready=ready),
        nodes.replica_set("web-6d4cf", "web"),
        nodes.pod("web-6d4cf-x", labels={"app": "web"}),
    )
    cluster.after_eviction = lambda _pod: cluster.put(nodes.pod("web-6d4cf-y", "pi3", labels={"app": "web"}))


def test_a_node_is_cordoned_once_and_uncordoned_once(run: Runner, cluster: Cluster) -> None:
    first, second = run(name="pi2", cordoned=True), run(name="pi2", cordoned=True)
    assert set(first) - {"invocation"} == SHAPE
    assert (first["changed"], first["message"]) == (True, "Node pi2: cordoned")
    assert (second["changed"], second["message"]) == (False, "Node pi2: unchanged")
    assert cluster.is_cordoned
    assert run(name="pi2", cordoned=False)["message"] == "Node pi2: uncordoned"
    assert run(name="pi2", cordoned=False)["changed"] is False
    assert cluster.writes == ["patch Node pi2"] * 2


def test_the_servers_own_mark_of_a_cordon_is_no_change_of_ours(run: Runner, cluster: Cluster) -> None:
    mark = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    cluster.put(nodes.node("pi4", unschedulable=True, taints=[mark]))
    answer = run(name="pi4", cordoned=False, _ansible_diff=True)
    assert (answer["message"], answer["fields"]) == ("Node pi4: uncordoned", ["spec.unschedulable"])
    assert "taints" not in answer["diff"][0]["before"]


def test_labels_and_taints_are_set_once(run: Runner, cluster: Cluster) -> None:
    wanted = {
        "labels": {"disk": "ssd", "fast": True, "kubernetes.io/hostname": None},
        "taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}],
    }
    first = run(name="pi2", **wanted)
    assert first["node"]["labels"] == {"disk": "ssd", "fast": "true"}
    assert first["node"]["taints"] == [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
    assert run(name="pi2", **wanted)["changed"] is False
    assert run(name="pi2", taints=[{"key": "dedicated", "state": "absent"}])["node"]["taints"] == []
    assert len(cluster.writes) == 2


def test_check_mode_shows_the_change_and_makes_none(run: Runner, cluster: Cluster) -> None:
    answer = run(name="pi2", labels={"disk": "ssd"}, cordoned=True, _ansible_check_mode=True, _ansible_diff=True)
    assert (answer["changed"], cluster.writes) == (True, [])
    assert "unschedulable: true" in answer["diff"][0]["after"]
    assert "disk: ssd" in answer["diff"][0]["after"]


def test_what_somebody_writes_in_between_is_kept(run: Runner, cluster: Cluster) -> None:
    cluster.broken.append(("patch Node pi2", RefusedError("modified", Reason.STALE, status=409)))
    assert run(name="pi2", cordoned=True)["changed"] is True


def test_a_drain_moves_what_can_move_and_waits_until_it_serves(run: Runner, cluster: Cluster) -> None:
    web(cluster)
    cluster.put(nodes.pod("log-1", owner="DaemonSet"), nodes.pod("other-1", "pi1"))
    answer = run(name="pi2", state="drained")
    assert answer["message"] == "Node pi2: cordoned, 1 pod evicted, 1 workload healthy elsewhere"
    assert answer["evicted"] == ["default/web-6d4cf-x"]
    assert answer["left"] == [{"pod": "default/log-1", "reason": "DaemonSet log runs it on every node"}]
    assert answer["moved"] == [{"kind": "Deployment", "namespace": "default", "name": "web"}]
    assert cluster.is_cordoned
    assert ("", "Pod", "default", "other-1") in cluster.objects
    cluster.writes.clear()
    again = run(name="pi2", state="drained")
    assert (again["changed"], again["evicted"], cluster.writes) == (False, [], [])


def test_it_waits_until_the_pods_serve_and_not_only_until_the_old_status_says_so(run: Runner, cluster: Cluster) -> None:
    web(cluster)
    cluster.after_eviction = lambda _pod: None  # the status of the Deployment is that of before the eviction
    answer = run(name="pi2", state="drained", wait_timeout=9)
    assert answer["failed"] is True
    assert "pods are missing of Deployment default/web" in answer["msg"]
    assert "uncordoned again" in answer["msg"]


def test_a_workload_that_crashes_elsewhere_gets_all_the_time_there_is(run: Runner, cluster: Cluster) -> None:
    web(cluster)
    crashed = {"name": "main", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    crashing = nodes.pod("web-6d4cf-y", "pi3", labels={"app": "web"})
    crashing["status"] = {"phase": "Running", "containerStatuses": [crashed]}
    cluster.after_eviction = lambda _pod: cluster.put(nodes.deployment("web", ready=0), crashing)
    answer = run(name="pi2", state="drained")
    assert "container main of pod default/web-6d4cf-y crashes" in answer["msg"]
    assert (answer["reason"], cluster.slept) == ("timeout", 300.0)


def test_a_workload_that_is_deleted_during_the_drain_is_not_waited_for_nor_called_healthy(
    run: Runner, cluster: Cluster
) -> None:
    web(cluster)

    def somebody_deletes_it(_pod: Any) -> None:
        del cluster.objects["apps", "Deployment", "default", "web"]

    cluster.after_eviction = somebody_deletes_it
    answer = run(name="pi2", state="drained")
    assert (answer["evicted"], answer["moved"]) == (["default/web-6d4cf-x"], [])
    assert answer["message"] == "Node pi2: cordoned, 1 pod evicted"
    assert cluster.slept < 10


def test_what_was_ill_before_is_not_waited_for(run: Runner, cluster: Cluster) -> None:
    web(cluster, ready=0)
    answer = run(name="pi2", state="drained")
    assert answer["unhealthy_before"] == [{"kind": "Deployment", "namespace": "default", "name": "web"}]
    assert "was not healthy before" in " ".join(run.output.split())  # in the answer, or folded on the terminal


def test_a_workload_lacks_its_pods_before_and_after_in_the_same_way(run: Runner, cluster: Cluster) -> None:
    web(cluster)  # its status says that it is healthy
    cluster.objects["", "Pod", "default", "web-6d4cf-x"]["status"]["conditions"] = []
    cluster.after_eviction = lambda _pod: None
    answer = run(name="pi2", state="drained")
    assert answer["unhealthy_before"] == [{"kind": "Deployment", "namespace": "default", "name": "web"}]


def test_check_mode_tells_the_pods_and_what_stands_in_the_way(run: Runner, cluster: Cluster) -> None:
    web(cluster)
    answer = run(name="pi2", state="drained", _ansible_check_mode=True, _ansible_diff=True)
    assert (answer["changed"], answer["message"]) == (True, "Node pi2: cordoned, 1 pod to evict")
    assert "default/web-6d4cf-x" in answer["diff"][0]["before"]
    cluster.put(nodes.pod("bare", owner=None))
    refused = run(name="pi2", state="drained", _ansible_check_mode=True)
    assert refused["obstacles"][0]["option"] == "unmanaged_pods"
    assert cluster.writes == []


def test_an_obstacle_is_refused_before_anything_is_changed(run: Runner, cluster: Cluster) -> None:
    web(cluster)
    cluster.put(nodes.pod("bare", owner=None))
    answer = run(name="pi2", state="drained")
    assert (answer["failed"], answer["reason"], cluster.writes) == (True, "obstacles", [])
    assert "pod default/bare: no controller would make it again elsewhere" in answer["msg"]
    assert run(name="pi2", state="drained", unmanaged_pods="evict")["evicted"] == [
        "default/bare",
        "default/web-6d4cf-x",
    ]


def test_a_pod_whose_budget_forbids_it_for_ever_is_deleted_only_on_request(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1", labels={"app": "web"}), nodes.budget("it", 1, 1))
    assert "forbids it for ever" in run(name="pi2", state="drained")["msg"]
    assert run(name="pi2", state="drained", forbidding_budgets="delete")["evicted"] == ["default/web-1"]
    assert cluster.writes == ["patch Node pi2", "delete Pod default/web-1", "patch Node pi2"]


def test_a_budget_that_allows_one_at_a_time_is_asked_again(run: Runner, cluster: Cluster) -> None:
    cluster.put(*(nodes.pod(f"web-{number}", labels={"app": "web"}) for number in (1, 2)), nodes.budget("it", 2, 1))
    fresh = iter(("web-3", "web-4"))

    def replace(_pod: Any) -> None:
        cluster.sleep(3)
        cluster.put(nodes.pod(next(fresh), "pi3", labels={"app": "web"}))

    cluster.after_eviction = replace
    assert len(run(name="pi2", state="drained")["evicted"]) == 2


def test_a_drain_that_takes_too_long_names_the_pods_and_opens_the_node_again(run: Runner, cluster: Cluster) -> None:
    ill = nodes.budget("it", 3, 2)  # a budget with one to spare, and nobody serves but this pod
    cluster.put(nodes.pod("web-1", labels={"app": "web"}), ill)
    answer = run(name="pi2", state="drained", drain_timeout=20)
    assert "After 20 seconds 1 pod is still on node pi2: pod default/web-1: The disruption budget it" in answer["msg"]
    assert "Node pi2 is uncordoned again" in answer["msg"]
    assert (answer["reason"], answer["pods"]) == ("timeout", ["default/web-1"])
    assert not cluster.is_cordoned


def test_a_cordon_that_was_there_before_survives_failure_and_return(run: Runner, cluster: Cluster) -> None:
    cluster.cordon_by_hand()
    cluster.put(nodes.pod("web-1", labels={"app": "web"}), nodes.budget("it", 3, 2))
    answer = run(name="pi2", state="drained", drain_timeout=5)
    assert "Node pi2 stays cordoned, as it was before" in answer["msg"]
    assert cluster.is_cordoned
    returned = run(name="pi2", state="returned")
    assert returned["changed"] is False
    assert "stays cordoned" in returned["message"]
    assert cluster.is_cordoned


def test_a_return_takes_back_the_cordon_of_a_drain_alone(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", state="drained")
    returned = run(name="pi2", state="returned")
    assert (returned["changed"], returned["message"]) == (True, "Node pi2: uncordoned")
    assert run(name="pi2", state="returned")["changed"] is False
    run(name="pi2", state="drained")
    run(name="pi2", cordoned=False)
    cluster.cordon_by_hand()
    assert run(name="pi2", state="returned")["node"]["cordoned"] is True


def crowded(cluster: Cluster, *, ready: int) -> None:
    """A Deployment with three pods on pi1. When one of them is evicted, another one serves on pi2."""
    cluster.put(nodes.deployment("web", replicas=3, ready=ready), nodes.replica_set("web-6d4cf", "web"))
    cluster.put(*(nodes.pod(f"web-6d4cf-{number}", "pi1", labels={"app": "web"}) for number in range(ready)))
    cluster.after_eviction = lambda _pod: cluster.put(nodes.pod("web-6d4cf-y", labels={"app": "web"}))


def test_a_node_that_returns_gets_its_share(run: Runner, cluster: Cluster) -> None:
    crowded(cluster, ready=3)
    assert run(name="pi2", state="returned", rebalance=True)["balanced"] == ["default/web-6d4cf-0"]


def test_a_workload_that_lacks_a_pod_gives_none(run: Runner, cluster: Cluster, tmp_path: Path) -> None:
    crowded(cluster, ready=2)
    cluster.put(*(nodes.pod(f"api-{number}", "pi1", labels={"app": "api"}) for number in range(2)))
    progress = tmp_path / "progress"
    answer = run(name="pi2", state="returned", rebalance=True, progress_file=str(progress))
    assert answer["balanced"] == ["default/api-0"]
    assert "pod default/web-6d4cf-0 stays; Deployment default/web is not healthy now" in progress.read_text()


def test_a_cordon_that_is_asked_for_after_a_drain_outlives_it(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", state="drained")
    cluster.writes.clear()
    assert run(name="pi2", cordoned=True, _ansible_check_mode=True)["changed"] is True
    assert cluster.writes == []
    asked = run(name="pi2", cordoned=True)
    assert (asked["changed"], asked["message"]) == (True, "Node pi2: its cordon outlives the drain that has set it")
    assert run(name="pi2", cordoned=True)["changed"] is False
    assert run(name="pi2", state="returned")["node"]["cordoned"] is True
    run(name="pi2", cordoned=False)
    run(name="pi2", state="drained")
    assert run(name="pi2", state="returned")["node"]["cordoned"] is False


def test_a_drain_that_fails_leaves_the_cordon_that_somebody_has_asked_for_meanwhile(
    run: Runner, cluster: Cluster
) -> None:
    cluster.put(nodes.pod("web-1"))

    def reclaim(_pod: Any) -> None:
        cluster.changed_by("kubectl-cordon", KINDS["Node"], "", "pi2", {"spec": {"unschedulable": True}})
        raise RefusedError("it broke", Reason.OTHER)

    cluster.after_eviction = reclaim
    answer = run(name="pi2", state="drained")
    assert "Node pi2 stays cordoned, as somebody else has asked for meanwhile" in answer["msg"]
    assert cluster.is_cordoned


def word_of_drain(cluster: Cluster) -> str | None:
    word: str | None = (cluster.node()["metadata"].get("annotations") or {}).get(DRAIN)
    return word


@pytest.mark.parametrize("word", ["another", None])  # the other run is at work, or done already
def test_a_drain_that_fails_leaves_the_node_to_another_run_that_has_taken_it_over(
    run: Runner, cluster: Cluster, word: str | None
) -> None:
    cluster.put(nodes.pod("web-1"))

    def take_over(_pod: Any) -> None:
        assert word_of_drain(cluster)
        patch = {"metadata": {"annotations": {DRAIN: word}}}
        cluster.changed_by("hearth-drain", KINDS["Node"], "", "pi2", patch)
        raise RefusedError("it broke", Reason.OTHER)

    cluster.after_eviction = take_over
    answer = run(name="pi2", state="drained")
    assert "Node pi2 is left as it is, for another run has drained it meanwhile" in answer["msg"]
    assert cluster.is_cordoned
    assert word_of_drain(cluster) == word


def test_a_drain_takes_over_a_node_that_a_run_which_was_killed_is_draining(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", state="drained")
    cluster.changed_by("hearth-drain", KINDS["Node"], "", "pi2", {"metadata": {"annotations": {DRAIN: "another"}}})
    assert run(name="pi2", state="drained", _ansible_diff=True)["changed"] is False
    assert word_of_drain(cluster) is None
    assert run(name="pi2", state="returned")["message"] == "Node pi2: uncordoned"


def test_a_node_that_returns_loses_the_word_of_a_drain_that_was_killed(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", state="drained")
    cluster.changed_by("hearth-drain", KINDS["Node"], "", "pi2", {"metadata": {"annotations": {DRAIN: "another"}}})
    run(name="pi2", state="returned")
    assert word_of_drain(cluster) is None


def test_a_drain_that_fails_leaves_no_word(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1", labels={"app": "web"}), nodes.budget("it", 3, 2))
    run(name="pi2", state="drained", drain_timeout=5)
    assert word_of_drain(cluster) is None


def test_a_pod_that_is_deleted_gets_as_long_as_one_that_is_evicted(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1", labels={"app": "web"}), nodes.budget("it", 1, 1))
    run(name="pi2", state="drained", forbidding_budgets="delete", grace_period=5)
    assert cluster.writes == ["patch Node pi2", "delete Pod default/web-1 (within 5 s)", "patch Node pi2"]


def test_a_hanging_finalizer_is_named(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1"))
    cluster.hold("web-1", "example.org/keeper")
    answer = run(name="pi2", state="drained", drain_timeout=5)
    assert "pod default/web-1, held by the finalizer example.org/keeper" in answer["msg"]
    assert not cluster.is_cordoned


def test_a_pod_of_the_same_name_elsewhere_is_another_one(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("db-0", owner="StatefulSet"))
    cluster.after_eviction = lambda _pod: cluster.put(nodes.pod("db-0", "pi3", owner="StatefulSet"))
    assert run(name="pi2", state="drained")["evicted"] == ["default/db-0"]


def test_a_pod_that_comes_to_the_cordoned_node_is_told(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1"))
    cluster.after_eviction = lambda _pod: cluster.put(nodes.pod("web-2") | {"status": {"phase": "Running"}})
    answer = run(name="pi2", state="drained")
    assert answer["came_back"] == ["default/web-2"]
    assert "pod default/web-2 came to the cordoned node" in " ".join(run.output.split())


def test_an_interrupted_drain_opens_the_node_again(
    run: Runner, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.put(nodes.pod("web-1"))

    def interrupted(_pod: Any) -> None:
        raise KeyboardInterrupt

    cluster.after_eviction = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(name="pi2", state="drained")
    assert not cluster.is_cordoned


def test_what_a_killed_drain_has_left_is_finished_and_taken_back(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", state="drained")
    cluster.put(nodes.pod("web-1"))  # as if the first run had been killed before it came to this pod
    again = run(name="pi2", state="drained")
    assert (again["evicted"], again["fields"]) == (["default/web-1"], [])
    assert run(name="pi2", state="returned")["node"]["cordoned"] is False


def killed_after_it_evicts(run: Runner, cluster: Cluster) -> None:
    """Drain pi2 and end before the workload serves elsewhere; nothing is written after that."""
    web(cluster)

    def die(*_anything: Any, **_more: Any) -> Any:
        raise Killed

    def evicted(_pod: Any) -> None:
        cluster.put(nodes.deployment("web", ready=0))
        patcher.setattr(cluster, "patch", die)
        die()

    cluster.after_eviction = evicted
    with pytest.MonkeyPatch.context() as patcher, pytest.raises(Killed):
        run(name="pi2", state="drained")


def test_what_a_killed_drain_has_moved_is_waited_for_by_the_next(run: Runner, cluster: Cluster) -> None:
    killed_after_it_evicts(run, cluster)
    late = run(name="pi2", state="drained", wait_timeout=9)
    assert "what ran there is not healthy elsewhere" in late["msg"]
    assert "Deployment default/web" in late["msg"]
    assert "Node pi2 stays cordoned, as it was before" in late["msg"]

    cluster.put(nodes.deployment("web"), nodes.pod("web-6d4cf-y", "pi3", labels={"app": "web"}))
    again = run(name="pi2", state="drained")
    assert (again["changed"], again["message"]) == (False, "Node pi2: 1 workload healthy elsewhere")
    assert again["moved"] == [{"kind": "Deployment", "namespace": "default", "name": "web"}]
    assert AWAITED not in cluster.node()["metadata"].get("annotations", {})


def test_a_drain_that_does_not_wait_asks_nothing_of_what_a_killed_one_has_moved(run: Runner, cluster: Cluster) -> None:
    killed_after_it_evicts(run, cluster)
    assert run(name="pi2", state="drained", wait_timeout=0)["message"] == "Node pi2: unchanged"


def test_what_a_killed_drain_has_noted_is_no_more_true_once_the_node_was_opened(run: Runner, cluster: Cluster) -> None:
    killed_after_it_evicts(run, cluster)
    run(name="pi2", cordoned=False)
    assert run(name="pi2", state="drained")["message"] == "Node pi2: cordoned"
    assert AWAITED not in cluster.node()["metadata"].get("annotations", {})


def test_a_note_that_somebody_has_spoiled_is_none(run: Runner, cluster: Cluster) -> None:
    cluster.cordon_by_hand()
    cluster.changed_by("somebody", KINDS["Node"], "", "pi2", {"metadata": {"annotations": {AWAITED: '["a", 1]'}}})
    assert run(name="pi2", state="drained")["message"] == "Node pi2: unchanged"


def test_progress_says_what_goes_and_what_is_waited_for(run: Runner, cluster: Cluster, tmp_path: Path) -> None:
    cluster.put(nodes.pod("web-1", volumes=[{"name": "tmp", "emptyDir": {}}]))
    cluster.hold("web-1", "example.org/keeper")
    run(name="pi2", state="drained", drain_timeout=12, progress_file=str(tmp_path / "progress"))
    lines = (tmp_path / "progress").read_text().splitlines()
    assert lines[0] == "node pi2: 1 pod to move, 0 to stay"
    assert lines[1] == "node pi2: pod default/web-1 goes; what it keeps in emptyDir tmp is lost"
    assert "0 of 1 pod gone, waiting for pod default/web-1, held by the finalizer example.org/keeper" in lines[2]


def test_a_node_is_deleted_once_and_only_drained(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("web-1"), nodes.pod("log-1", owner="DaemonSet"))
    refused = run(name="pi2", state="absent")
    assert (refused["reason"], refused["pods"], cluster.writes) == ("undrained", ["default/web-1"], [])
    assert run(name="pi2", state="absent", delete_undrained=True, _ansible_check_mode=True)["message"].endswith(
        "would be deleted"
    )
    assert run(name="pi2", state="absent", delete_undrained=True)["message"] == "Node pi2: deleted"
    assert (run(name="pi2", state="absent")["changed"], cluster.writes) == (False, ["delete Node pi2"])


def test_what_a_drain_leaves_on_request_does_not_keep_a_node(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.pod("alone", owner=None))
    assert run(name="pi2", state="absent")["reason"] == "undrained"
    assert run(name="pi2", state="absent", unmanaged_pods="leave")["message"] == "Node pi2: deleted"


def password(cluster: Cluster) -> None:
    metadata = {"name": "pi2.node-password.k3s", "namespace": "kube-system"}
    cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"hash": "c2NyeXB0"}})


def test_the_password_goes_with_the_node_and_also_after_it(run: Runner, cluster: Cluster) -> None:
    password(cluster)
    assert run(name="pi2", state="absent")["message"] == "Node pi2: deleted, its password is forgotten"
    assert not run(name="pi2", state="absent")["changed"]
    password(cluster)
    assert run(name="pi2", state="absent")["changed"], "a run that was cut short has left it"
    assert ("", "Secret", "kube-system", "pi2.node-password.k3s") not in cluster.objects


def test_the_machine_that_takes_the_name_gets_what_the_former_was_given(run: Runner, cluster: Cluster) -> None:
    by_hand = {"disk": "ssd", "node-role.kubernetes.io/worker": "", "room": "attic"}
    by_itself = {"node-role.kubernetes.io/etcd": "true", "beta.kubernetes.io/arch": "arm64"}
    dedicated = {"key": "dedicated", "value": "database", "effect": "NoSchedule"}
    lost = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    cluster.put(nodes.node("pi2", labels=by_hand | by_itself, taints=[dedicated, lost]))
    cluster.cordon_by_hand()
    assert run(name="pi2", state="absent", remember=True, _ansible_check_mode=True)["changed"]
    assert cluster.writes == []
    assert "are kept" in run(name="pi2", state="absent", remember=True)["message"]

    cluster.put(nodes.node("pi2", labels={"room": "cellar"}))
    assert run(name="pi2", state="restored", _ansible_check_mode=True)["changed"]
    restored = run(name="pi2", state="restored")
    own = {"kubernetes.io/hostname": "pi2"}
    assert restored["node"]["labels"] == own | by_hand | {"room": "cellar"}, "what its machine says counts more"
    assert (restored["node"]["taints"], restored["node"]["cordoned"]) == ([dedicated], True)
    assert not run(name="pi2", state="restored")["changed"]


def test_what_was_kept_survives_a_second_replacement(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.node("pi2", labels={"disk": "ssd"}, taints=[{"key": "a", "effect": "NoSchedule"}]))
    run(name="pi2", state="absent", remember=True)
    cluster.put(nodes.node("pi2", labels={"room": "attic"}))
    run(name="pi2", state="absent", remember=True)
    cluster.put(nodes.node("pi2"))
    restored = run(name="pi2", state="restored")["node"]
    assert {key: restored["labels"][key] for key in ("disk", "room")} == {"disk": "ssd", "room": "attic"}
    assert [taint["key"] for taint in restored["taints"]] == ["a"]


def test_what_was_kept_for_a_machine_that_never_came_goes_with_the_name(run: Runner, cluster: Cluster) -> None:
    cluster.put(nodes.node("pi2", labels={"disk": "ssd"}))
    run(name="pi2", state="absent", remember=True)
    assert run(name="pi2", state="absent")["message"] == "Node pi2: is not there, what was kept for its successor goes"
    cluster.put(nodes.node("pi2"))
    assert not run(name="pi2", state="restored")["changed"]


def test_what_a_playbook_did_to_take_the_node_out_of_service_is_not_kept(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", labels={OUT_OF_SERVICE: "playbook"})
    run(name="pi2", state="drained")
    run(name="pi2", state="absent", remember=True)
    cluster.put(nodes.node("pi2"))
    restored = run(name="pi2", state="restored")["node"]
    assert not restored["cordoned"]
    assert OUT_OF_SERVICE not in restored["labels"]


def test_a_cordon_that_is_given_back_outlives_a_drain_of_meanwhile(run: Runner, cluster: Cluster) -> None:
    run(name="pi2", cordoned=True)
    run(name="pi2", state="absent", remember=True)
    cluster.put(nodes.node("pi2"))
    run(name="pi2", state="drained")
    assert "its cordon outlives the drain" in run(name="pi2", state="restored")["message"]
    assert run(name="pi2", state="returned")["node"]["cordoned"]


def test_a_node_that_is_held_by_a_finalizer_names_it(run: Runner, cluster: Cluster) -> None:
    cluster.node()["metadata"]["finalizers"] = ["wrangler.cattle.io/managed-etcd-controller"]
    answer = run(name="pi2", state="absent", drain_timeout=5)
    assert "held by the finalizer wrangler.cattle.io/managed-etcd-controller" in answer["msg"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "pi22", "cordoned": True}, "There is no node pi22 in this cluster; did you mean pi"),
        ({"name": "pi2", "state": "drained", "cordoned": False}, "cordoned says nothing beside state: drained"),
        ({"name": "pi2", "labels": {"a b": "1"}}, "labels: a b: 'a b' can be no label"),
        ({"name": "pi2", "taints": [{"key": "a"}]}, "state is present but all of the following are missing: effect"),
        ({"name": "pi2", "state": "absent", "labels": {"a": "1"}}, "say nothing beside state: absent"),
        (
            {"name": "pi2", "state": "restored", "taints": [{"key": "a", "effect": "NoSchedule"}]},
            "beside state: restored",
        ),
        ({"name": "pi2", "state": "drained", "remember": True}, "remember says nothing beside state: drained"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(
    run: Runner, cluster: Cluster, arguments: dict[str, Any], told: str
) -> None:
    answer = run(**arguments)
    assert answer["failed"] is True
    assert told in answer["msg"]
    assert cluster.writes == []


def test_documentation_and_options_agree() -> None:
    assert_documented(module, {**CONNECTION, **spec.NODE})
