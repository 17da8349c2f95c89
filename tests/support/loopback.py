# SPDX-License-Identifier: GPL-3.0-or-later
"""What the web servers of tests have in common: where they are, how they start and how they end."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class LoopbackServer(ABC):
    """A web server on loopback; a subclass says what it answers to a GET."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.address = f"http://{self.host}"

    @abstractmethod
    def answer(self, request: BaseHTTPRequestHandler) -> None: ...

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def stop(self) -> None:
        """From now on nobody is there."""
        self.server.shutdown()
        self.server.server_close()


def _handler_of(server: LoopbackServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *arguments: object) -> None:
            """A test that passes says nothing."""

    return Handler
