# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry on loopback: the reading half of the distribution protocol, with a guard that gives tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.loopback import LoopbackServer


class Registry(LoopbackServer):
    """Artifacts by repository. `user` and `password` are asked for where they are set."""

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.login = ""
        self.guarded = True
        self.asked: list[str] = []

    def push(self, name: str, tag: str, layers: Mapping[str, tuple[str, bytes]]) -> str:
        """Put an artifact there, its layers by title, each with media type and content; returns its digest."""
        described = [
            {
                "mediaType": media_type,
                "digest": self._blob(raw),
                "size": len(raw),
                "annotations": {"org.opencontainers.image.title": title} if title else {},
            }
            for title, (media_type, raw) in layers.items()
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": self._blob(b"{}"), "size": 2},
            "layers": described,
        }
        raw = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.manifests[name, tag] = self.manifests[name, digest] = raw
        return digest

    def _blob(self, raw: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self.blobs[digest] = raw
        return digest

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path)
        self.asked.append(path.path)
        if path.path == "/token":
            return self._give_token(request, parse_qs(path.query))
        if path.path.startswith("/storage/"):
            assert "Authorization" not in request.headers, "the storage behind a registry must not see its tokens"
            return _send(request, 200, self.blobs[path.path.removeprefix("/storage/")])
        name, kind, reference = path.path.removeprefix("/v2/").rsplit("/", 2)
        if self.guarded and request.headers.get("Authorization") != f"Bearer {name}":
            realm = f'Bearer realm="{self.address}/token",service="test",scope="repository:{name}:pull"'
            return _send(request, 401, b"", {"WWW-Authenticate": realm})
        if kind == "blobs" and reference in self.blobs:
            return _send(request, 307, b"", {"Location": f"{self.address}/storage/{reference}"})
        found = self.manifests.get((name, reference)) if kind == "manifests" else None
        return _send(request, 200, found) if found is not None else _send(request, 404, b"{}")

    def _give_token(self, request: BaseHTTPRequestHandler, query: Mapping[str, Any]) -> None:
        expected = f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if self.login and request.headers.get("Authorization") != expected:
            return _send(request, 401, b"{}")
        name = query["scope"][0].split(":")[1]
        return _send(request, 200, json.dumps({"token": name}).encode())


def _send(request: BaseHTTPRequestHandler, status: int, raw: bytes, headers: Mapping[str, str] | None = None) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(raw)), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(raw)
