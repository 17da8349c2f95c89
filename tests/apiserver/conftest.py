# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests against a real API server share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.apiserver import ApiServer
from tests.support.scene import Scene


@pytest.fixture
def scene(api_server: ApiServer, namespace: str) -> Iterator[Scene]:
    scene = Scene(api_server, namespace)
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    labels, taint = {"kubernetes.io/hostname": scene.node}, {"key": "only", "value": "tests", "effect": "NoSchedule"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": scene.node, "labels": labels}}
    scene.create({**node, "spec": {"taints": [taint]}, "status": {"allocatable": room, "capacity": room}})
    scene.wait(f"node/{scene.node}", "condition=Ready")
    yield scene
    scene.all_nodes()
    api_server.kubectl("delete", "node", scene.node)
