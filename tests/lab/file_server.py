# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves one directory on loopback, as a download server does: whole files, parts of them, and their headers alone.

Usage: ``python -m tests.lab.file_server DIRECTORY PORT``
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Part:
    """A range of a file, both ends included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def parse_range(header: str, size: int) -> Part | None:
    """The one range that a client asked for; none if it is not one that a file of this size has."""
    match = RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        part = Part(max(size - int(match[2]), 0), size - 1)
    else:
        part = Part(int(match[1]), min(int(match[2] or size - 1), size - 1))
    return part if 0 <= part.first <= part.last else None


class Handler(SimpleHTTPRequestHandler):
    """The standard handler with ranges, without listings of directories or hidden files."""

    protocol_version = "HTTP/1.1"
    server_version = "hearth-lab"

    def send_head(self) -> Any:
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            return super().send_head()
        if path.name.startswith("."):
            return self.send_error(HTTPStatus.NOT_FOUND)
        header = self.headers.get("Range")
        if header is None or not path.is_file():
            return super().send_head()
        return self._send_part(path, header)

    def list_directory(self, path: Any) -> None:
        """Whoever asks for the top learns that the server is there, and no more."""
        if Path(path) != Path(self.directory):
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.NO_CONTENT)
        return self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def _send_part(self, path: Path, header: str) -> BinaryIO | None:
        size = path.stat().st_size
        part = parse_range(header, size)
        if part is None:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Range", f"bytes {part.first}-{part.last}/{size}")
        self.send_header("Content-Length", str(part.length))
        self.end_headers()
        stream = path.open("rb")
        stream.seek(part.first)
        return _Limited(stream, part.length)  # type: ignore[return-value]


class _Limited:
    """As much of a stream as the answer has announced."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = shutil.COPY_BUFSIZE) -> bytes:  # type: ignore[attr-defined]
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._stream.close()


def serve(directory: Path, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not yet running; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(directory)))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2])).serve_forever()
