# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.trouble import Trouble, pod_trouble
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def pod(container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    statuses = [{"name": "web", "image": "r/web:1", "restartCount": 0, **container}] if container else []
    limits = {"name": "web", "resources": {"limits": {"memory": "64Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "blog", "name": "web-1", "creationTimestamp": NOW.isoformat()},
        "spec": {"restartPolicy": "Always", "containers": [limits]},
        "status": {"containerStatuses": statuses, **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def found(one: dict[str, Any], now: datetime | None = None) -> Trouble:
    trouble = pod_trouble(one, now)
    assert trouble is not None
    return trouble


@pytest.mark.parametrize(
    ("reason", "message", "doomed", "words"),
    [
        ("ErrImagePull", "rpc error: docker.io/r/web:1: not found", True, "the registry has no such image"),
        (
            "ImagePullBackOff",
            "Back-off: no match for platform in manifest",
            True,
            "not built for this node's architecture",
        ),
        ("ImagePullBackOff", "dial tcp: lookup r: no such host", False, "the registry cannot be reached"),
        ("ImagePullBackOff", "429 Too Many Requests: toomanyrequests", False, "limits the number of pulls"),
        ("ImagePullBackOff", "", False, "ImagePullBackOff"),
        ("ErrImagePull", "pull access denied", True, "refuses access"),
        ("InvalidImageName", "couldn't parse image name", True, "has the invalid image name r/web:1"),
        ("CreateContainerConfigError", 'secret "db" not found', True, 'cannot be started: secret "db" not found'),
        ("CreateContainerConfigError", "failed to sync secret cache: timed out", False, "cannot be started"),
        ("CreateContainerError", "no command specified", True, "no command specified"),
    ],
)
def test_waiting_containers(reason: str, message: str, doomed: bool, words: str) -> None:
    trouble = found(pod(waiting(reason, message)))
    assert (trouble.reason, trouble.doomed) == (reason, doomed)
    assert words in trouble.sentence
    assert "pod blog/web-1" in trouble.sentence
    assert (trouble.container, trouble.image) == ("web", "r/web:1")


@pytest.mark.parametrize(("restarts", "doomed"), [(1, False), (2, True), (7, True)])
def test_the_second_restart_dooms(restarts: int, doomed: bool) -> None:
    last = {"terminated": {"exitCode": 127, "reason": "Error"}}
    trouble = found(pod(waiting("CrashLoopBackOff", restartCount=restarts, lastState=last)))
    assert trouble.doomed is doomed
    assert trouble.exit_code == 127
    assert trouble.previous_log
    assert "exit code 127 (the command was not found in the image)" in trouble.sentence
    assert f"{restarts} restart" in trouble.sentence


def test_too_little_memory_names_the_limit() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    trouble = found(pod(waiting("CrashLoopBackOff", restartCount=3, lastState=last)))
    assert trouble.reason == "OOMKilled"
    assert "more memory than its limit of 64Mi" in trouble.sentence


def test_the_wrong_architecture_dooms_at_once() -> None:
    ended = {"terminated": {"exitCode": 255, "reason": "StartError", "message": "exec /web: exec format error"}}
    trouble = found(pod({"state": ended}))
    assert trouble.doomed
    assert "another architecture" in trouble.sentence


def test_one_crash_of_a_pod_that_never_restarts_is_its_last_word() -> None:
    once = pod({"state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "no config\n"}}})
    once["spec"]["restartPolicy"] = "Never"
    trouble = found(once)
    assert trouble.doomed
    assert "exit code 1: no config, 0 restarts" in trouble.sentence
    assert not trouble.previous_log


def test_an_init_container_counts() -> None:
    broken = {"name": "prepare", **waiting("ErrImagePull", "not found")}
    assert found(pod(initContainerStatuses=[broken])).container == "prepare"


@pytest.mark.parametrize(("seconds", "doomed"), [(5, False), (60, True)])
def test_unschedulable_tells_what_the_scheduler_says(seconds: int, doomed: bool) -> None:
    says = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient memory.",
    }
    trouble = found(pod(phase="Pending", conditions=[says]), NOW + timedelta(seconds=seconds))
    assert trouble.sentence == "no node can take pod blog/web-1: 0/3 nodes are available: 3 Insufficient memory."
    assert trouble.doomed is doomed


def test_a_volume_in_the_making_is_waited_for() -> None:
    message = "pod has unbound immediate PersistentVolumeClaims"
    says = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    assert not found(pod(conditions=[says]), NOW + timedelta(hours=1)).doomed


def test_an_eviction_is_told() -> None:
    trouble = found(pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."))
    assert trouble.sentence.endswith("Evicted: The node was low on resource: memory.")


def test_the_doomed_trouble_is_told_first() -> None:
    both = pod()
    both["status"]["containerStatuses"] = [
        {"name": "a", **waiting("ImagePullBackOff", "i/o timeout")},
        {"name": "b", **waiting("InvalidImageName", "bad")},
    ]
    assert found(both).container == "b"


@pytest.mark.parametrize(
    "container", [{"state": {"running": {}}}, waiting("ContainerCreating"), {"state": {"terminated": {"exitCode": 0}}}]
)
def test_no_trouble(container: dict[str, Any]) -> None:
    assert pod_trouble(pod(container)) is None


ANY = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["state", "waiting", "reason"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["phase", "conditions", "containerStatuses", "reason"]), ANY))
def test_any_status_is_read(status: dict[str, Any]) -> None:
    pod_trouble({"metadata": {"name": "x"}, "status": status})


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"name": "web"}], "its limit of none (the node itself is full)"),
        ([{"name": "other", "resources": {"limits": {"memory": "1Gi"}}}], "its limit of unknown size"),
    ],
)
def test_too_little_memory_without_a_known_limit(containers: list[dict[str, Any]], words: str) -> None:
    killed = pod({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})
    killed["spec"]["containers"] = containers
    assert words in found(killed).sentence


def test_a_crash_whose_end_is_not_known_yet() -> None:
    trouble = found(pod(waiting("CrashLoopBackOff", restartCount=1)))
    assert "its exit code is not known yet, 1 restart so far" in trouble.sentence
    assert trouble.exit_code is None


def test_a_container_that_waits_for_its_turn_is_in_no_trouble() -> None:
    assert pod_trouble(pod(waiting("PodInitializing"))) is None
