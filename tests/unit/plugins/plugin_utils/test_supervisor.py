# SPDX-License-Identifier: GPL-3.0-or-later
"""What a k3s server says to a token. That a real one says so is seen where a node is added to the lab's cluster."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.token import Token
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.credentials import Credentials
from ansible_collections.hearth.cluster.plugins.plugin_utils._supervisor import opens

RIGHT = f"Basic {b64encode(b'server:right').decode()}"


class Server(BaseHTTPRequestHandler):
    known = 403  # what it says to a token that it knows

    def do_GET(self) -> None:
        self.send_response(self.known if self.headers["Authorization"] == RIGHT else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Credentials]:
    with HTTPServer(("127.0.0.1", 0), Server) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        ours = {"Authorization": "Bearer ours"}
        yield Credentials(server=f"http://127.0.0.1:{listening.server_port}", headers=lambda: ours)
        listening.shutdown()


@pytest.mark.parametrize(
    ("token", "says", "told"),
    [
        ("right", 403, True),
        (f"K10{'0' * 64}::server:right", 200, True),
        ("wrong", 403, False),
        ("right", 500, None),
    ],
)
def test_a_token_is_known_or_not(
    server: Credentials, monkeypatch: pytest.MonkeyPatch, token: str, says: int, told: bool | None
) -> None:
    monkeypatch.setattr(Server, "known", says)
    assert opens(server, Token.parse(token)) is told


def test_nothing_is_told_where_nobody_answers() -> None:
    assert opens(Credentials(server="http://127.0.0.1:1"), Token.parse("right")) is None
