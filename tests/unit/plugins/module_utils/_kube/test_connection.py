# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to a server that does not behave; what a well-behaved one answers is shown on a real API server."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server import client
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.client import Access, Connection, connect
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.credentials import Credentials
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import (
    Reason,
    RefusedError,
    UnreachableError,
)

Reply = Callable[[bytes], bytes]


@contextmanager
def server(*replies: Reply) -> Iterator[tuple[str, list[bytes]]]:
    """Answers one request per connection and then closes it, although it promised to keep it open."""
    heard: list[bytes] = []

    def serve() -> None:
        for reply in replies:
            peer, _address = listener.accept()
            with peer:
                heard.append(peer.recv(65536))
                peer.sendall(reply(heard[-1]))
                peer.shutdown(socket.SHUT_WR)
                time.sleep(0.05)  # what was sent must arrive before the rest of the request is thrown away

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join(timeout=5)


def reply(body: bytes, status: str = "200 OK", *headers: str) -> Reply:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return lambda _request: "\r\n".join([*lines, "", ""]).encode() + body


def connection_to(address: str) -> Connection:
    return Connection(Credentials(address, headers=lambda: {"Authorization": "Bearer t"}), timeout=2)


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew() -> None:
    with server(reply(b'{"n": 1}'), reply(b'{"n": 2}')) as (address, heard):
        connection = connection_to(address)
        assert [connection.json("GET", "/a", doing="read")["n"] for _time in range(2)] == [1, 2]
    for header in (b"Authorization: Bearer t", b"User-Agent: hearth.cluster"):
        assert all(header + b"\r\n" in request for request in heard)


def test_compressed_answers_are_read() -> None:
    body = gzip.compress(json.dumps({"n": 1}).encode())
    with server(reply(body, "200 OK", "Content-Encoding: gzip")) as (address, _heard):
        assert connection_to(address).json("GET", "/a", doing="read") == {"n": 1}


def test_a_refusal_says_when_to_come_again() -> None:
    busy = server(reply(b"", "429 Too Many Requests", "Retry-After: 3"))
    with busy as (address, _heard), pytest.raises(RefusedError) as error:
        connection_to(address).json("GET", "/a", doing="read")
    assert (error.value.reason, error.value.retry_after) == (Reason.BUSY, 3.0)


def test_a_refusal_of_a_body_that_was_not_read_is_heard() -> None:
    with server(reply(b"too long", "413 Request Entity Too Large", "Connection: close")) as (address, heard):
        connection = Connection(Credentials(address), timeout=10)
        with pytest.raises(RefusedError, match="Cannot write: too long"):
            connection.json("POST", "/a", body="x" * (64 << 20), doing="write")
    assert len(heard) == 1


def test_a_watch_that_breaks_off_ends_quietly() -> None:
    def broken(_request: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{a}\n\r\n"

    with server(broken) as (address, _heard):
        lines = connection_to(address).lines("/a", doing="watch", query={"watch": "true"}, seconds=5)
        assert list(lines) == [b"{a}\n"]


def test_a_server_that_has_answered_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SECONDS_BETWEEN_ATTEMPTS", 0.01)
    with server(reply(b"{}"), lambda _request: b"", reply(b'{"n": 2}')) as (address, _heard):
        connection = connection_to(address)
        connection.json("GET", "/a", doing="read")
        assert connection.json("GET", "/a", doing="read") == {"n": 2}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://127.0.0.1:1", "refuses the connection: nothing listens there"),
        ("http://no.such.host.invalid", "cannot be resolved; correct it in the kubeconfig"),
    ],
)
def test_a_server_that_never_answered_is_told_at_once(address: str, told: str) -> None:
    with pytest.raises(UnreachableError, match=rf"Cannot read it: the API server {address}.*{told}"):
        connection_to(address).json("GET", "/a", doing="read it")


def test_certificates_that_cannot_be_read_are_told() -> None:
    with pytest.raises(InputError, match=r"certificate authority for https://pi1 cannot be read.*fetch the kubeconfig"):
        Connection(Credentials("https://pi1", authority="nonsense"), timeout=1)
    with pytest.raises(InputError, match="client certificate for https://pi1 cannot be read"):
        Connection(Credentials("https://pi1", certificate="nonsense", key="nonsense"), timeout=1)


def write(path: Path, server: str) -> Path:
    content = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
    }
    path.write_text(json.dumps(content))
    return path


def test_the_kubeconfig_is_found_where_kubectl_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(InputError, match=r"There is no kubeconfig .*/\.kube/config; set up the cluster first"):
        connect(Access())
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config", "http://home")
    assert connect(Access()).server == "http://home"
    named = write(tmp_path / "named", "http://environment")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "absent"), str(named)]))
    assert connect(Access()).server == "http://environment"
    option = write(tmp_path / "option", "http://option")
    assert connect(Access(kubeconfig=str(option))).server == "http://option"
    assert connect(Access(kubeconfig=str(option), server="http://other/")).server == "http://other"


def test_several_kubeconfigs_are_merged_by_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("kubernetes")
    files = [write(tmp_path / name, f"http://{name}") for name in ("one", "two")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    assert connect(Access()).server == "http://one"
