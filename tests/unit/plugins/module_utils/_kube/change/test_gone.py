# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.gone import Farewell
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import identity_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import Step, Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Resource
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError

from tests.support.fake_cluster import BUILT_IN, FakeCluster

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
DEFINITIONS = next(each for each in BUILT_IN if each.kind == "CustomResourceDefinition")
MAPS = next(each for each in BUILT_IN if each.kind == "ConfigMap")


class Scene:
    """Deleted objects that a finalizer holds, a clock, and what happens as it goes on."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.now = 0.0
        self.happens: Callable[[float], None] = lambda _now: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens(self.now)

    def deleted(self, resource: Resource, name: str, finalizer: str) -> Step:
        namespace = "default" if resource.namespaced else ""
        metadata: dict[str, Any] = {"name": name, "finalizers": [finalizer]}
        content = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        if namespace:
            metadata["namespace"] = namespace
        else:
            content["spec"] = {"group": "example.org", "names": {"kind": name}, "versions": []}
        live = self.cluster.apply(resource, content)
        self.cluster.delete(resource, namespace, name)
        return Step(Verb.PRUNE, identity_of(live), before=live)

    def release(self, step: Step) -> None:
        self.cluster.objects = {
            key: live for key, live in self.cluster.objects.items() if live["metadata"]["name"] != step.identity.name
        }

    def wait(self, *steps: Step) -> None:
        Farewell(self.cluster, Clock(lambda: self.now, self.sleep), seconds=60.0).wait(steps)


def test_time_counts_from_the_last_one_that_went() -> None:
    scene = Scene()
    steps = [scene.deleted(MAPS, f"map-{number}", "example.org/keeper") for number in range(3)]
    scene.happens = lambda now: [scene.release(step) for number, step in enumerate(steps) if now > 50 * (number + 1)]
    scene.wait(*steps)
    assert scene.now > 150


def test_what_does_not_go_is_named_with_its_finalizer() -> None:
    scene = Scene()
    step = scene.deleted(MAPS, "held", "example.org/keeper")
    with pytest.raises(NotReadyError, match=r"60 seconds: ConfigMap default/held \(finalizers: example.org/keeper\)"):
        scene.wait(step)
    assert not [line for line in scene.cluster.writes if line.startswith("patch")]


def test_the_server_is_reminded_of_a_definition_that_it_forgot() -> None:
    scene = Scene()
    step = scene.deleted(DEFINITIONS, "things.example.org", CLEANUP)

    def look_when_changed(_now: float) -> None:
        if "patch CustomResourceDefinition things.example.org" in scene.cluster.writes:
            scene.release(step)

    scene.happens = look_when_changed
    scene.wait(step)
    assert "things.example.org" not in str(scene.cluster.objects)


def test_who_may_not_change_a_definition_waits_as_before() -> None:
    scene = Scene()
    step = scene.deleted(DEFINITIONS, "things.example.org", CLEANUP)
    refusal = RefusedError("no", Reason.FORBIDDEN, status=403)
    scene.cluster.broken.append(("patch CustomResourceDefinition things.example.org", refusal))
    scene.happens = lambda now: scene.release(step) if now > 15 else None
    scene.wait(step)
    assert not scene.cluster.broken
