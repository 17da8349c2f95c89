# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.verdict import Surroundings
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.wait import Waiter
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock

from tests.support.fake_cluster import BUILT_IN, FakeCluster

WEB = Identity("apps", "Deployment", "default", "web")


class Scene:
    """A deployment that does not come up, with the pod that tells why."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.now = 0.0
        self.lines: list[str] = []
        self.cluster.pass_time = self.sleep

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def happens(self, *events: dict[str, Any]) -> None:
        self.cluster.events += events

    def put(self, kind: str, content: dict[str, Any]) -> None:
        resource = next(each for each in BUILT_IN if each.kind == kind)
        live = {"apiVersion": resource.api_version, "kind": kind, **content}
        self.cluster.objects[resource.group, kind, "default", content["metadata"]["name"]] = live

    def wait(self, seconds: float = 60, *, were_healthy: bool = False) -> Any:
        clock = Clock(lambda: self.now, self.sleep)
        waiter = Waiter(self.cluster, clock, Surroundings, self.lines.append, were_healthy=were_healthy)
        return waiter.until_healthy([WEB], selector="", seconds=seconds)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def web(ready: int = 0) -> dict[str, Any]:
    status = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready}
    conditions = [
        {"type": "Available", "status": "True" if ready else "False"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {**status, "conditions": conditions},
    }


def pod(state: dict[str, Any], restarts: int = 0, **container: Any) -> dict[str, Any]:
    status = {"name": "main", "image": "example.org/web:9", "restartCount": restarts, "state": state, **container}
    return {
        "metadata": {"name": "web-1", "namespace": "default", "uid": "u", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "example.org/web:9"}]},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }


def test_it_ends_as_soon_as_all_are_healthy(scene: Scene) -> None:
    scene.happens(web(0), web(1))
    assert scene.wait()[WEB].is_current
    assert scene.now == 0


def test_objects_that_are_settled_once_they_exist_are_not_waited_for(scene: Scene) -> None:
    waiter = Waiter(scene.cluster, Clock(lambda: scene.now, scene.sleep), Surroundings)
    assert waiter.until_healthy([Identity("", "ConfigMap", "n", "a")], selector="", seconds=5) == {}


def test_an_image_that_does_not_exist_ends_the_wait_with_object_image_and_remedy(scene: Scene) -> None:
    message = 'failed to pull and unpack image "example.org/web:9": not found'
    scene.put("Pod", pod({"waiting": {"reason": "ErrImagePull", "message": message}}))
    scene.put(
        "Event",
        {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "web-1", "uid": "u"},
            "type": "Warning",
            "reason": "Failed",
            "message": "Error: ErrImagePull",
        },
    )
    scene.happens(web())
    with pytest.raises(NotReadyError) as error:
        scene.wait()
    told = str(error.value)
    assert scene.now < 10
    for part in (
        "Deployment default/web",
        "container main",
        "pod default/web-1",
        "example.org/web:9",
        "no such image",
        "option images",
    ):
        assert part in told
    assert "Failed: Error: ErrImagePull" in told
    assert error.value.details["object"] == "Deployment default/web"


def test_a_crash_comes_with_exit_code_and_last_words(scene: Scene) -> None:
    crashed = {"terminated": {"exitCode": 1, "reason": "Error"}}
    scene.put("Pod", pod({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=3, lastState=crashed))
    scene.cluster.container_logs["default/web-1/main"] = "cannot open /etc/web.conf\n"
    scene.happens(web())
    with pytest.raises(NotReadyError, match=r"exit code 1(?s:.*)cannot open /etc/web.conf"):
        scene.wait()


def test_one_crash_may_pass(scene: Scene) -> None:
    crashed = {"terminated": {"exitCode": 1, "reason": "Error"}}
    scene.put("Pod", pod({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=1, lastState=crashed))
    scene.happens(web())
    with pytest.raises(NotReadyError, match="After 60 seconds 1 of the objects are not ready"):
        scene.wait()
    assert scene.now == 60


def test_it_says_now_and_then_what_it_waits_for(scene: Scene) -> None:
    scene.happens(web())
    with pytest.raises(NotReadyError):
        scene.wait(seconds=21)
    assert 3 <= len(scene.lines) <= 5
    assert scene.lines[0].startswith("0 of 1 objects ready, waiting for Deployment default/web: ")


def test_what_never_appears_is_told_as_missing(scene: Scene) -> None:
    with pytest.raises(NotReadyError, match="Deployment default/web: it is not there"):
        scene.wait(seconds=5)


def test_what_was_healthy_before_gets_the_time_it_needs_and_its_trouble_is_told_at_the_end(scene: Scene) -> None:
    crashed = {"terminated": {"exitCode": 1, "reason": "Error"}}
    scene.put("Pod", pod({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=3, lastState=crashed))
    scene.put("Deployment", web())
    with pytest.raises(NotReadyError, match=r"After 60 seconds(?s:.*)exit code 1"):
        scene.wait(were_healthy=True)
    assert scene.now == 60


@pytest.mark.parametrize("is_held", [False, True], ids=["gone", "going"])
def test_what_was_healthy_before_and_is_deleted_meanwhile_is_not_waited_for(scene: Scene, is_held: bool) -> None:
    scene.put("Deployment", web())

    def somebody_deletes_it(seconds: float) -> None:
        scene.sleep(seconds)
        live = scene.cluster.objects.pop(("apps", "Deployment", "default", "web"), None)
        if live and is_held:
            going = {**live["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            scene.put("Deployment", {**live, "metadata": going})

    scene.cluster.pass_time = somebody_deletes_it
    scene.wait(were_healthy=True)
    assert scene.now < 10
