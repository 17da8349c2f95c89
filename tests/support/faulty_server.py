# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in front of an API server that fails now and then, as a small cluster under load does.

It refuses for a reason that passes (429, a new leader of etcd), closes the connection before the request is carried
out, or after that without an answer.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

FAULTS = ("overload", "new leader", "cut before", "cut after")

_ANSWERS_FIRST = 4


class FaultyServer:
    """Where it is, and what it did. `chance` is that of each fault, for every request."""

    def __init__(self, url: str, context: ssl.SSLContext, chance: float, seed: int) -> None:
        self._upstream = urlsplit(url)
        self._context = context
        self._chance = chance
        self._random = random.Random(seed)
        self._guard = threading.Lock()
        self.done: Counter[str] = Counter()

    def draw(self) -> str:
        with self._guard:
            number = self._random.random()
            fault = next((name for place, name in enumerate(FAULTS, 1) if number < place * self._chance), "")
            # A server that has not answered yet is taken for one that is not there, which is told at once.
            fault = fault if self.done[""] >= _ANSWERS_FIRST else ""
            self.done[fault] += 1
        return fault

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        connection = HTTPSConnection(
            self._upstream.hostname or "", self._upstream.port, timeout=30, context=self._context
        )
        try:
            connection.request(method, path, body=body or None, headers={**headers, "Accept-Encoding": "identity"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _handler(faulty: FaultyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = faulty.draw()
            if fault == "overload":
                self._answer(429, _status("too many requests"), retry_after="0")
            elif fault == "new leader":
                self._answer(500, _status("etcdserver: leader changed"))
            elif fault == "cut before":
                self.close_connection = True
            else:
                kept = {key: self.headers[key] for key in ("Accept", "Content-Type") if key in self.headers}
                status, content = faulty.forward(self.command, self.path, kept, body)
                if fault == "cut after":
                    self.close_connection = True
                else:
                    self._answer(status, content)

        def _answer(self, status: int, content: bytes, retry_after: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that it overrides
            """A test that passes says nothing."""

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  names that the base class looks for

    return Handler


def _status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message, "reason": "InternalError"}).encode()


@contextmanager
def faulty_server(kubeconfig: Path, folder: Path, *, chance: float, seed: int) -> Iterator[tuple[FaultyServer, Path]]:
    """The server, and a kubeconfig that leads to it; it goes on as whom the other kubeconfig names."""
    document = json.loads(kubeconfig.read_text())
    url = document["clusters"][0]["cluster"]["server"]
    directory = kubeconfig.parent / "pki"
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    context.load_cert_chain(directory / "admin.crt", directory / "admin.key")
    faulty = FaultyServer(url, context, chance, seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(faulty))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{server.server_port}"}
    document["users"][0]["user"] = {}
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    try:
        yield faulty, path
    finally:
        server.shutdown()
        server.server_close()
