# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of one cluster of which some answer, and what is learnt through those."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.hearth.cluster.plugins.lookup import api_server, k3s_records
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._k3s.test_seen import node

from .kube_lookup import ask

NODES = {"items": [node("pi1", "control-plane", "etcd"), node("pi2", "control-plane", "etcd"), node("pi4")]}
Start = Callable[..., str]


@contextmanager
def server(ready: int = 200) -> Iterator[str]:
    """An API server that knows its nodes, and says of itself whether it is ready."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(NODES).encode() if self.path == "/api/v1/nodes" else b"ok"
            self.send_response(200 if self.path == "/api/v1/nodes" else ready)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that it overrides
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(server(**options))


@pytest.fixture
def dead() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    cluster = {"name": "home", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "home", "context": {"cluster": "home"}}
    content = {"current-context": "home", "clusters": [cluster], "contexts": [context]}
    (tmp_path / "kubeconfig").write_text(json.dumps(content))
    return str(tmp_path / "kubeconfig")


def test_the_first_that_is_ready_is_chosen(start: Start, dead: str, kubeconfig: str) -> None:
    starting, first, second = start(ready=500), start(), start()
    assert ask(api_server, dead, starting, first, second, kubeconfig=kubeconfig) == [first]


def test_the_kubeconfigs_own_server_is_the_last_resort(start: Start, dead: str, kubeconfig: str) -> None:
    own = start()
    Path(kubeconfig).write_text(Path(kubeconfig).read_text().replace("http://127.0.0.1:1", own))
    assert ask(api_server, dead, kubeconfig=kubeconfig) == ask(api_server, kubeconfig=kubeconfig) == [own]


def test_a_cluster_of_which_nobody_answers_is_an_error(dead: str, kubeconfig: str) -> None:
    with pytest.raises(AnsibleLookupError, match=f"answers at {dead}, http://127.0.0.1:1: bring most"):
        ask(api_server, dead, kubeconfig=kubeconfig)


def host(name: str, url: str) -> dict[str, Any]:
    return {"name": name, "node_name": name, "address": f"10.0.0.{name[-1]}", "url": url}


def test_records_are_made_of_servers_that_answer_and_have_a_node(start: Start, dead: str, kubeconfig: str) -> None:
    hosts = [host("pi1", dead), host("pi2", start()), host("pi3", start()), host("pi4", start())]
    (record,) = ask(k3s_records, *hosts, kubeconfig=kubeconfig)
    assert (record["name"], record["probe"]["host"]["machine_id"]) == ("pi2", "machine-2")
    assert [each["name"] for each in record["probe"]["k3s"]["api"]["nodes"]] == ["pi1", "pi2", "pi4"]


@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_learnt_is_no_error(dead: str, kubeconfig: str, there: bool) -> None:
    path = kubeconfig if there else "/does/not/exist"
    assert ask(k3s_records, host("pi1", dead), kubeconfig=path) == []
