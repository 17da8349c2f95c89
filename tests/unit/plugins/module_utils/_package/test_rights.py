# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError

from tests.support.contract import config_map
from tests.support.package_world import World, deployment_manifest

A = config_map("default", "a", k="1")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_all_missing_rights_are_told_before_anything_is_written(world: World) -> None:
    world.cluster.lacking = {("create", "ConfigMap"), ("patch", "ConfigMap"), ("watch", "Deployment")}
    with pytest.raises(ClusterError, match="nothing was changed, because the user of the kubeconfig lacks") as error:
        world.run(A, deployment_manifest())
    assert error.value.details["missing"] == [
        "create, patch configmaps in namespace default",
        "watch deployments.apps in namespace default",
    ]
    assert world.writes() == []


def test_rights_to_remove_and_to_keep_the_record_are_needed_too(world: World) -> None:
    world.run(A)
    world.cluster.lacking = {("delete", "ConfigMap"), ("patch", "Lease")}
    world.writes()
    with pytest.raises(ClusterError) as error:
        world.run(state="absent")
    assert error.value.details["missing"] == [
        "delete configmaps in namespace default",
        "patch leases.coordination.k8s.io in namespace kube-system",
    ]
    assert world.writes() == []


def test_who_has_just_enough_rights_may_go_on(world: World) -> None:
    world.cluster.lacking = set()
    assert world.run(A).plan.changed
