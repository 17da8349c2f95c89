# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that move with a node's workloads, on a real API server with its controllers and its scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Policy
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.mover import Mover
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spec import mover_for
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError

from tests.support.scene import OTHERS, Scene, pinned_volume, pod_spec, uses, workload

pytestmark = pytest.mark.apiserver

TARGET = OTHERS[1]


@pytest.fixture
def database(scene: Scene) -> Iterator[Scene]:
    """A StatefulSet whose volume lies on the test's node."""
    scene.create(*pinned_volume(f"{scene.namespace}-data", scene.node))
    template = {"metadata": {"labels": {"app": "it"}}, "spec": pod_spec(volumes=[uses("data")])}
    scene.create(workload("StatefulSet", serviceName="it", template=template))
    scene.wait("statefulset/it", "jsonpath={.status.readyReplicas}=1")
    yield scene
    scene.server.kubectl("delete", "pv", f"{scene.namespace}-data", "--wait=false", "--ignore-not-found")


def mover(scene: Scene) -> Mover:
    access = {"kubeconfig": str(scene.server.kubeconfig), "context": None, "server": None, "request_timeout": 60}
    return mover_for(access, scene.lines.append)


def volume(scene: Scene) -> Any:
    return scene.get(f"pv/{scene.namespace}-data")


def test_the_pod_runs_where_its_data_are_and_the_claim_is_the_same(database: Scene) -> None:
    claim = database.get("pvc/data")
    plan = mover(database).plan(database.node)
    (move,) = plan.moves
    assert (move.claim, move.pods) == (f"{database.namespace}/data", (f"{database.namespace}/it-0",))
    assert TARGET in plan.candidates
    assert mover(database).health_of_users(plan) == {f"StatefulSet {database.namespace}/it": "well"}
    with pytest.raises(ClusterError, match="pods use it again"):
        mover(database).move(plan, TARGET, 30.0)
    database.run("drained", policy=Policy(moving_claims=[move.claim]))
    database.wait("pod/it-0", "jsonpath={.status.phase}=Pending")

    (moved,) = mover(database).move(plan, TARGET, 30.0).healthy
    assert str(moved) == f"StatefulSet {database.namespace}/it"
    assert database.pods_on(TARGET) == ["it-0"]
    now, spec = database.get("pvc/data"), volume(database)["spec"]
    assert (now["metadata"]["uid"], now["status"]["phase"]) == (claim["metadata"]["uid"], "Bound")
    assert spec["hostPath"]["path"] == "/var/lib/rancher/k3s/storage/data.moved-1"
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"  # as a volume made by hand has it

    after = mover(database).plan(database.node)
    assert (after.moves, [each.path for each in after.old_copies]) == ((), ["/var/lib/rancher/k3s/storage/data"])
    mover(database).forget_old_copies(database.node)
    assert mover(database).plan(database.node).old_copies == ()


def test_a_move_that_was_interrupted_without_any_volume_is_ended(
    database: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mover(database)
    plan = first.plan(database.node)
    database.run("drained", policy=Policy(moving_claims=[plan.moves[0].claim]))

    def killed(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(first.cluster), "apply", killed)
        first.move(plan, TARGET, 30.0)
    database.wait("pvc/data", "jsonpath={.status.phase}=Lost")
    (move,) = mover(database).plan(database.node).moves
    assert (move.is_copied, move.to) == (True, TARGET)
    mover(database).move(mover(database).plan(database.node), TARGET, 30.0)
    assert database.pods_on(TARGET) == ["it-0"]
    assert database.get("pvc/data")["status"]["phase"] == "Bound"
