# SPDX-License-Identifier: GPL-3.0-or-later
"""How an API server is asked for its kinds: once for all, and only one that is new enough to tell."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import ApiServer
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import RefusedError


class NewServer:
    """Answers slowly, and counts."""

    server = "https://new:6443"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._guard = threading.Lock()

    def json(self, _method: str, path: str, **_options: Any) -> dict[str, Any]:
        with self._guard:
            self.asked.append(path)
        time.sleep(0.01)
        return {"kind": "APIGroupDiscoveryList", "items": []}


def test_many_who_ask_at_once_share_one_answer() -> None:
    connection: Any = NewServer()
    server = ApiServer(connection)
    with ThreadPoolExecutor(8) as pool:
        catalogues = list(pool.map(lambda _number: server.catalogue(), range(8)))
    assert sorted(connection.asked) == ["/api", "/apis"]
    assert len({id(catalogue) for catalogue in catalogues}) == 1


class OldServer:
    """Answers discovery as Kubernetes did before aggregated discovery."""

    server = "https://old:6443"

    def json(self, _method: str, _path: str, **_options: Any) -> dict[str, Any]:
        return {"kind": "APIGroupList", "groups": []}


def test_a_server_that_is_too_old_is_told() -> None:
    connection: Any = OldServer()
    with pytest.raises(RefusedError, match=r"older than Kubernetes 1\.27, which this collection needs"):
        ApiServer(connection).catalogue()
