# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to be somebody at a real API server: certificate, token, a program, through a proxy, by another name."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.client import Access, connect
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import (
    Reason,
    RefusedError,
    UnreachableError,
)

from tests.lab.apiserver import ApiServer

pytestmark = pytest.mark.apiserver

EXEC = "client.authentication.k8s.io/v1"


def who_am_i(path: Path) -> str:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    connection = connect(Access(kubeconfig=str(path)))
    for _time in range(2):  # the second over the connection that was kept
        answer = connection.json(
            "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review, doing="ask who this is"
        )
    return str(answer["status"]["userInfo"]["username"])


@pytest.fixture
def changed(kubeconfig: Path, tmp_path: Path) -> Any:
    """The administrator's kubeconfig with another user, or with a cluster that says more."""

    def write(user: dict[str, Any] | None = None, **cluster: Any) -> Path:
        content = json.loads(kubeconfig.read_text())
        content["clusters"][0]["cluster"].update(cluster)
        if user is not None:
            content["users"][0]["user"] = user
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def token(api_server: ApiServer, namespace: str) -> str:
    return api_server.kubectl("create", "token", "default", f"--namespace={namespace}").strip()


def test_a_client_certificate(kubeconfig: Path) -> None:
    assert who_am_i(kubeconfig) == "admin"


def test_a_token(changed: Any, token: str, namespace: str) -> None:
    assert who_am_i(changed({"token": token})) == f"system:serviceaccount:{namespace}:default"


def test_a_program_that_makes_the_credentials(changed: Any, token: str, namespace: str, tmp_path: Path) -> None:
    pytest.importorskip("kubernetes")
    program = tmp_path / "program"
    credential = {"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": token}}
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(credential)!r})\n")
    program.chmod(0o700)
    user = {"exec": {"apiVersion": EXEC, "command": str(program), "interactiveMode": "Never"}}
    assert who_am_i(changed(user)) == f"system:serviceaccount:{namespace}:default"


def test_nobody_is_told_to_fetch_the_kubeconfig_again(changed: Any) -> None:
    with pytest.raises(RefusedError, match="does not accept these credentials; fetch the kubeconfig again") as error:
        who_am_i(changed({"token": "wrong"}))
    assert error.value.reason is Reason.UNAUTHORIZED


def test_a_server_by_another_name(changed: Any) -> None:
    assert who_am_i(changed(**{"tls-server-name": "kubernetes"})) == "admin"
    with pytest.raises(UnreachableError, match=r"certificate that the kubeconfig does not trust.*Hostname mismatch"):
        who_am_i(changed(**{"tls-server-name": "somebody-else"}))


def test_a_server_of_another_authority_is_not_trusted(changed: Any, api_server: ApiServer) -> None:
    path = changed()
    content = json.loads(path.read_text())
    del content["clusters"][0]["cluster"]["certificate-authority-data"]
    path.write_text(json.dumps(content))
    with pytest.raises(UnreachableError, match=r"does not trust .*fetch the kubeconfig again"):
        who_am_i(path)
    assert who_am_i(changed(**{"insecure-skip-tls-verify": True})) == "admin"


def test_a_server_behind_a_proxy(changed: Any, api_server: ApiServer) -> None:
    with proxy() as (address, asked):
        assert who_am_i(changed(**{"proxy-url": address})) == "admin"
    assert asked == [f"CONNECT {api_server.url.removeprefix('https://')} HTTP/1.1"] * len(asked)
    assert asked


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy that makes tunnels."""
    asked: list[str] = []

    def serve() -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            request = client.recv(65536).decode().splitlines()[0]
            asked.append(request.replace("HTTP/1.0", "HTTP/1.1"))
            host, _colon, port = request.split()[1].rpartition(":")
            upstream = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for one, other in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=(one, other), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


def test_a_body_that_is_too_long_is_refused_at_once(kubeconfig: Path, namespace: str) -> None:
    """The server answers without having read it all: that must not look like a server that is gone."""
    metadata = {"name": "long", "namespace": namespace}
    long = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": "x" * (8 << 20)}}
    connection = connect(Access(kubeconfig=str(kubeconfig)))
    connection.json("GET", "/version", doing="ask for the version")
    started = time.monotonic()
    with pytest.raises(RefusedError, match=r"Cannot make it: .*limit is 3145728") as error:
        connection.json("POST", f"/api/v1/namespaces/{namespace}/configmaps", body=long, doing="make it")
    assert error.value.reason is Reason.INVALID
    assert time.monotonic() - started < 20
    connection.json("GET", "/version", doing="ask for the version")
