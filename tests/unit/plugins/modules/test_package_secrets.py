# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret of a package that comes back from the cluster, in a log, an event or a refusal, is shown nowhere either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import reporter_for
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.modules import package

from tests.support.fake_cluster import FakeCluster

from .kube_module import Runner, RunnerFor

PASSWORD = "correct-horse-battery"


@pytest.fixture
def run(runner_for: RunnerFor) -> Runner:
    return runner_for(package)


def options(*objects: dict[str, Any], **more: Any) -> dict[str, Any]:
    secret = {"name": "s", "values": {"password": PASSWORD}}
    return {"name": "p", "namespace": "default", "secrets": [secret], "source": {"inline": list(objects)}, **more}


def pod() -> dict[str, Any]:
    container = {"name": "main", "image": "web:1"}
    metadata = {"name": "web", "namespace": "default", "uid": "u"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def test_the_log_of_a_container_that_prints_its_password(run: Runner, cluster: FakeCluster) -> None:
    cluster.container_logs["default/web/main"] = f"cannot log in with {PASSWORD}"
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": f"login {PASSWORD} refused"}}
    status = {"name": "main", "image": "web:1", "restartCount": 3, "lastState": ended}
    crashing = {**status, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    message = f"login {PASSWORD} refused"
    live = {**pod(), "status": {"phase": "Pending", "message": message, "containerStatuses": [crashing]}}
    cluster.events.append(live)
    answer = run(**options(pod(), wait_timeout=8))
    assert answer["failed"] is True
    assert "cannot log in with ********" in answer["msg"]
    assert PASSWORD not in run.output


def test_a_line_of_progress_that_quotes_a_status(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    report = reporter_for({"progress_file": str(progress)}, {PASSWORD, PASSWORD[:7]})
    report(f"package p: 0 of 1 objects ready, waiting for Pod default/web: login {PASSWORD} refused")
    assert progress.read_text(encoding="utf-8").endswith("login ******** refused\n")


def test_a_refusal_that_quotes_what_was_sent(run: Runner, cluster: FakeCluster) -> None:
    quoting = RefusedError(f"Cannot apply ConfigMap default/a: {PASSWORD!r} is no number", Reason.INVALID, status=422)
    cluster.broken.append(("apply ConfigMap a", quoting))
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    answer = run(**options(content, wait=False))
    assert "is no number" in answer["msg"]
    assert PASSWORD not in run.output
