# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on loopback that behaves as badly as told."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler

from tests.support.loopback import LoopbackServer


class Upstream(LoopbackServer):
    """What it has, how often it fails before it answers, after how many bytes it hangs up."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.failures: list[int] = []
        self.hang_ups: list[int] = []
        self.cut = 0
        self.asked: list[str] = []
        self.ranges: list[str] = []
        self.headers: dict[str, str] = {}

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        content = self.files.get(request.path)
        if self.failures:
            request.send_error(self.failures.pop(0))
        elif content is None:
            request.send_error(404)
        else:
            self._send(request, content)

    def _send(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        wanted = request.headers.get("Range", "")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start and request.headers.get("If-Range") == tag:
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            start = 0
            request.send_response(200)
        headers = {"Content-Length": str(len(content) - start), "ETag": tag, **self.headers}
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        stop = self.hang_ups.pop(0) if self.hang_ups else len(content) - self.cut
        request.wfile.write(content[start:stop])
