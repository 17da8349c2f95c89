# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are taken out of service, on a real API server: real evictions, budgets, controllers and scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.change import Wish
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Policy
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.keeper import Outcome, Task
from ansible_collections.hearth.cluster.plugins.module_utils._kube.diff import difference

from tests.lab import playbook
from tests.lab.paths import REPOSITORY
from tests.support.contract import eventually
from tests.support.scene import OTHERS, Scene, bare_pod, pinned_volume, pod_spec, uses, workload

pytestmark = pytest.mark.apiserver


def hungry() -> dict[str, Any]:
    """A container of which one node cannot hold two."""
    return {"name": "it", "image": "example.org/it:1", "resources": {"requests": {"cpu": "40"}}}


def test_pods_move_and_their_workload_is_healthy_elsewhere(scene: Scene) -> None:
    scene.deployment_here(replicas=3)
    scene.create(workload("DaemonSet") | {"metadata": {"name": "everywhere"}})
    foretold = scene.run("drained", check=True)
    assert (foretold.pods_move, scene.is_cordoned) == (True, False)

    outcome = scene.run("drained")
    assert outcome.drained is not None
    assert [str(each) for each in outcome.drained.healthy] == [f"Deployment {scene.namespace}/it"]
    assert scene.is_cordoned
    assert all(name.startswith("everywhere") for name in scene.pods_on(scene.node))
    assert scene.get("deployment/it")["status"]["readyReplicas"] == 3

    again = scene.run("drained")
    assert not again.pods_move
    assert fields_of(again) == ()
    scene.run("returned")
    assert not scene.is_cordoned


def test_a_budget_is_kept_while_pods_move(scene: Scene) -> None:
    scene.deployment_here(replicas=4)
    scene.budget(minAvailable=3)
    fewest = [4]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            fewest.append(scene.get("deployment/it")["status"].get("readyReplicas", 0))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        outcome = scene.run("drained", seconds=60.0)
    finally:
        ended.set()
        looking.join()
    assert outcome.drained is not None
    assert len(outcome.drained.plan.leaving) == 4
    assert min(fewest) >= 3


def test_a_budget_that_forbids_it_for_ever_is_named_and_nothing_changed(scene: Scene) -> None:
    scene.deployment_here(replicas=2)
    scene.budget(minAvailable=2)
    told = scene.refusal()
    assert f"the disruption budget {scene.namespace}/it (minAvailable: 2) forbids it for ever" in str(told)
    assert told.details["reason"] == "obstacles"
    assert not scene.is_cordoned
    assert len(scene.pods_on(scene.node)) == 2
    assert scene.run("drained", policy=Policy(forbidding_budgets="delete")).pods_move
    assert scene.pods_on(scene.node) == []


def test_a_budget_that_never_has_one_to_spare_is_named_when_time_is_over(scene: Scene) -> None:
    scene.deployment_here(replicas=2)
    scene.budget(minAvailable=2)
    unready = {"containers": [{"name": "it", "image": "lab.invalid/unready"}]}
    metadata = {"name": "third", "labels": {"app": "it"}}
    scene.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(**unready)})
    scene.wait("pdb/it", "jsonpath={.status.expectedPods}=3")  # it wants two of three, and no more than two serve
    told = scene.refusal(seconds=3.0, policy=Policy(unmanaged_pods="leave"))
    assert told.details["reason"] == "timeout"
    assert f"2 pods are still on node {scene.node}" in str(told)
    assert "The disruption budget it needs 2 healthy pods and has 2 currently" in str(told)
    assert f"Node {scene.node} is uncordoned again" in str(told)
    assert not scene.is_cordoned


def test_a_pod_without_a_controller_is_named_and_goes_only_on_request(scene: Scene) -> None:
    scene.create(bare_pod(scene.node))
    scene.wait("pod/bare", "condition=Ready")
    told = scene.refusal()
    assert f"pod {scene.namespace}/bare: no controller would make it again elsewhere" in str(told)
    assert not scene.is_cordoned
    scene.run("drained", policy=Policy(unmanaged_pods="evict"))
    assert scene.pods_on(scene.node) == []


def test_a_volume_that_lies_there_pins_its_pod_and_is_named(scene: Scene) -> None:
    volume, claim = pinned_volume(f"{scene.namespace}-data", scene.node)
    scene.create(volume, claim)
    template = {"metadata": {"labels": {"app": "it"}}, "spec": pod_spec(volumes=[uses("data")])}
    scene.create(workload("StatefulSet", serviceName="it", template=template))
    scene.wait("statefulset/it", "jsonpath={.status.readyReplicas}=1")
    try:
        assert scene.pods_on(scene.node) == ["it-0"]
        told = str(scene.refusal())
        assert f"pod {scene.namespace}/it-0: its data cannot move: volume {scene.namespace}-data (claim" in told
        assert "/var/lib/rancher/k3s/storage/data" in told
        left = scene.run("drained", policy=Policy(immovable_pods="leave")).drained
        assert left is not None
        assert scene.pods_on(scene.node) == ["it-0"]
        scene.run("drained", policy=Policy(immovable_pods="evict"))
        scene.wait("pod/it-0", "jsonpath={.status.phase}=Pending")
        scene.run("returned")
        scene.wait("statefulset/it", "jsonpath={.status.readyReplicas}=1")
    finally:
        scene.server.kubectl("delete", "pv", f"{scene.namespace}-data", "--wait=false")


def test_a_hanging_finalizer_is_named_and_the_node_opened_again(scene: Scene) -> None:
    scene.create(bare_pod(scene.node, finalizers=("example.org/keeper",)))
    scene.wait("pod/bare", "condition=Ready")
    told = scene.refusal(policy=Policy(unmanaged_pods="evict"), seconds=3.0)
    assert f"1 pod is still on node {scene.node}" in str(told)
    assert f"pod {scene.namespace}/bare, held by the finalizer example.org/keeper" in str(told)
    assert f"Node {scene.node} is uncordoned again" in str(told)
    assert not scene.is_cordoned
    scene.server.kubectl("cordon", scene.node)
    scene.refusal(policy=Policy(unmanaged_pods="evict"), seconds=1.0)
    assert scene.is_cordoned
    scene.run("returned")
    assert scene.is_cordoned
    patch = '--patch={"metadata": {"finalizers": null}}'
    scene.server.kubectl("patch", "pod", "bare", f"--namespace={scene.namespace}", "--type=merge", patch)


def test_pods_that_do_not_get_healthy_elsewhere_open_the_node_again(scene: Scene) -> None:
    for node in OTHERS:  # all nodes could take the pod, and none but this one has room
        scene.create(bare_pod(node, name=f"hog-on-{node}", containers=[hungry()]))
    template = {"metadata": {"labels": {"app": "it"}}, "spec": pod_spec(containers=[hungry()])}
    scene.create(workload("Deployment", template=template))
    scene.wait("deployment/it", "jsonpath={.status.readyReplicas}=1")
    told = str(scene.refusal(wait_seconds=4.0))
    assert f"Node {scene.node} is empty, but what ran there is not healthy elsewhere" in told
    assert "Insufficient cpu" in told
    assert f"Node {scene.node} is uncordoned again" in told
    scene.wait("deployment/it", "jsonpath={.status.readyReplicas}=1")


def test_a_cordon_that_is_asked_for_after_a_drain_outlives_it(scene: Scene) -> None:
    scene.run("drained")
    wish = Task(scene.node, wish=Wish(cordoned=True))
    first, second = scene.keeper().run(wish), scene.keeper().run(wish)
    assert (bool(first.aside), second.aside) == (True, ())
    scene.run("returned")
    assert scene.is_cordoned
    scene.keeper().run(Task(scene.node, wish=Wish(cordoned=False)))
    scene.run("drained")
    scene.run("returned")
    assert not scene.is_cordoned


def test_labels_taints_and_deletion(scene: Scene) -> None:
    keeper, name = scene.keeper(), f"{scene.namespace}-other"
    scene.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"disk": "card"}}})
    task = Task(name, wish=Wish(cordoned=True, labels={"disk": "ssd"}))
    first, second = keeper.run(task), keeper.run(task)
    assert fields_of(first) == ("metadata.labels.disk", "spec.unschedulable")
    assert fields_of(second) == ()
    assert keeper.run(Task(name, "absent")).after is None
    assert keeper.run(Task(name, "absent")).before is None


def test_the_playbook_evacuates_and_takes_the_node_back(scene: Scene) -> None:
    scene.deployment_here(replicas=2)
    common = ("hearth.cluster.evacuate", "-e", f"k3s_kubeconfig={scene.server.kubeconfig}", "-e", f"node={scene.node}")
    foretold = playbook.run(*common, "--check")
    assert (foretold.status, foretold.changed) == (0, 1), foretold.output
    assert "2 pods to evict" in foretold.output
    assert not scene.is_cordoned

    done, again = playbook.run(*common), playbook.run(*common)
    assert (done.status, done.changed, again.status, again.changed) == (0, 1, 0, 0), done.output + again.output
    assert "2 pods evicted" in done.output
    assert scene.is_cordoned

    back = playbook.run(*common, "-e", "back=true")
    assert (back.status, back.changed) == (0, 1), back.output
    assert not scene.is_cordoned


def test_a_drain_that_was_cut_short_and_cannot_go_on_leaves_the_node_in_service(scene: Scene, tmp_path: Path) -> None:
    """As patch_os and upgrade_k3s take a node out of service: a killed run had cordoned it, and the next meets a pod
    that it may not end.
    """
    scene.run("drained")
    scene.server.kubectl("label", "node", scene.node, "hearth.cluster/out-of-service=playbook")
    scene.create(bare_pod(scene.node))
    policy = {"unmanaged_pods": "refuse", "immovable_pods": "evict", "forbidding_budgets": "refuse"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(REPOSITORY / "playbooks/vars" / name) for name in ("node_tasks.yml", "node.yml")],
        "vars": {"policy": policy, "__k3s_record": {"node_name": scene.node}, "hearth_servers": "none"},
        "tasks": [{"ansible.builtin.include_tasks": str(REPOSITORY / "playbooks/tasks/take_out.yml")}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    run = playbook.run(str(tmp_path / "play.yml"), "-e", f"k3s_kubeconfig={scene.server.kubeconfig}")
    assert run.status != 0
    assert f"pod {scene.namespace}/bare: no controller would make it again elsewhere" in " ".join(run.output.split())
    assert not scene.is_cordoned
    assert "hearth.cluster/out-of-service" not in scene.get(f"node/{scene.node}")["metadata"]["labels"]


def test_a_node_that_returns_gets_its_share_on_request(scene: Scene) -> None:
    scene.server.kubectl("cordon", *OTHERS[1:], scene.node)
    scene.create(*(workload("Deployment", replicas=4) | {"metadata": {"name": name}} for name in ("it", "other")))
    for name in ("it", "other"):
        scene.wait(f"deployment/{name}", "jsonpath={.status.readyReplicas}=4")
    scene.server.kubectl("uncordon", scene.node)
    outcome = scene.keeper().run(Task(scene.node, "returned", rebalance=True))
    assert len(outcome.balanced) == 2  # at most one of each workload
    assert scene.get("deployment/it")["status"]["readyReplicas"] == 4
    assert len(scene.pods_on(scene.node)) == 2


def fields_of(outcome: Outcome) -> tuple[str, ...]:
    changed = difference(outcome.before, outcome.after).paths
    return tuple(each for each in changed if "taints" not in each)  # the server marks a cordoned node, a moment later


def test_a_killed_run_is_finished_by_the_next_one(scene: Scene) -> None:
    scene.deployment_here(replicas=2)
    hold = "--patch=" + json.dumps({"metadata": {"finalizers": ["example.org/keeper"]}})
    held = scene.pods_on(scene.node)[0]
    where = f"--namespace={scene.namespace}"
    scene.server.kubectl(
        "patch", "pod", held, where, "--type=merge", hold
    )  # so that the run is sure to be in the middle
    arguments = (
        "hearth.cluster.evacuate",
        "-e",
        f"k3s_kubeconfig={scene.server.kubeconfig}",
        "-e",
        f"node={scene.node}",
    )
    with subprocess.Popen(
        playbook.command(*arguments),
        env=playbook.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        eventually(lambda: scene.is_cordoned, limit=120.0)
        os.killpg(run.pid, signal.SIGKILL)
    assert scene.is_cordoned
    scene.server.kubectl("patch", "pod", held, where, "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    outcome = scene.run("drained")
    assert outcome.after is not None
    assert scene.pods_on(scene.node) == []
    scene.run("returned")
    assert not scene.is_cordoned
