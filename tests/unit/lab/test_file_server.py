# SPDX-License-Identifier: GPL-3.0-or-later
"""The download server, asked over HTTP."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.lab.file_server import Part, parse_range, serve

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HTTPConnection]:
    (tmp_path / "v1.36.3+k3s1").mkdir()
    (tmp_path / "v1.36.3+k3s1" / "k3s").write_bytes(CONTENT)
    (tmp_path / ".hidden").write_text("no")
    server = serve(tmp_path, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    yield connection
    connection.close()
    server.shutdown()
    server.server_close()


def ask(client: HTTPConnection, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    client.request(method, path, headers=headers)
    response = client.getresponse()
    return response, response.read()


@pytest.mark.parametrize("path", ["/v1.36.3%2Bk3s1/k3s", "/v1.36.3+k3s1/k3s"])
def test_a_file_comes_whole(client: HTTPConnection, path: str) -> None:
    response, body = ask(client, path)
    assert (response.status, body) == (200, CONTENT)


def test_head_tells_the_size_and_sends_nothing(client: HTTPConnection) -> None:
    response, body = ask(client, "/v1.36.3%2Bk3s1/k3s", "HEAD")
    assert (response.status, response.headers["Content-Length"], body) == (200, str(len(CONTENT)), b"")
    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bytes=100-199", CONTENT[100:200]), ("bytes=10000-", CONTENT[10000:]), ("bytes=-5", CONTENT[-5:])],
)
def test_a_part_comes_alone(client: HTTPConnection, header: str, expected: bytes) -> None:
    response, body = ask(client, "/v1.36.3%2Bk3s1/k3s", Range=header)
    assert (response.status, body) == (206, expected)
    # The connection is still in step: the answer had the length that it announced.
    assert ask(client, "/v1.36.3%2Bk3s1/k3s")[1] == CONTENT


def test_a_part_that_does_not_exist_is_refused(client: HTTPConnection) -> None:
    response, _body = ask(client, "/v1.36.3%2Bk3s1/k3s", Range="bytes=99999-")
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("path", ["/v9.9.9%2Bk3s1/k3s", "/v1.36.3%2Bk3s1/k3s-arm64", "/v1.36.3%2Bk3s1/", "/.hidden"])
def test_what_is_not_there_is_404(client: HTTPConnection, path: str) -> None:
    assert ask(client, path)[0].status == 404
    assert ask(client, path, Range="bytes=0-1")[0].status == 404


def test_nothing_outside_the_directory_is_served(client: HTTPConnection) -> None:
    assert ask(client, "/../../../../../../etc/passwd")[0].status == 404
    assert ask(client, "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd")[0].status == 404


@pytest.mark.parametrize(
    ("header", "size", "part"),
    [
        ("bytes=0-0", 10, Part(0, 0)),
        ("bytes=5-99", 10, Part(5, 9)),
        ("bytes=-99", 10, Part(0, 9)),
        ("bytes=-", 10, None),
        ("bytes=10-", 10, None),
        ("bytes=5-4", 10, None),
        ("bytes=0-", 0, None),
        ("items=0-1", 10, None),
    ],
)
def test_ranges(header: str, size: int, part: Part | None) -> None:
    assert parse_range(header, size) == part
