# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A look at the local API server with the certificates k3s keeps on disk.

Machines have no Kubernetes library, and need none for two reads.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._k3s.node_summary import summary


@dataclass(frozen=True, slots=True)
class LocalApi:
    """The API server as this machine reaches it, over loopback."""

    port: int
    authority: Path
    certificate: Path
    key: Path
    timeout: float = 5.0

    @classmethod
    def of_server(cls, data_dir: Path, port: int) -> LocalApi:
        tls = data_dir / "server/tls"
        return cls(port, tls / "server-ca.crt", tls / "client-admin.crt", tls / "client-admin.key")

    @classmethod
    def of_agent(cls, data_dir: Path, port: int) -> LocalApi:
        agent = data_dir / "agent"
        return cls(port, agent / "server-ca.crt", agent / "client-kubelet.crt", agent / "client-kubelet.key")

    def ready(self) -> bool:
        """Whether the API server says of itself that it can serve."""
        return self._get("/readyz")[0] == 200

    def nodes(self) -> list[dict[str, Any]]:
        """Return what matters of all Node objects; none if the API server does not answer."""
        status, body = self._get("/api/v1/nodes")
        return [summary(node) for node in json.loads(body)["items"]] if status == 200 else []

    def node(self, name: str) -> dict[str, Any] | None:
        """Return what matters of one Node object, or nothing if it is not there."""
        status, body = self._get(f"/api/v1/nodes/{name}")
        return summary(json.loads(body)) if status == 200 else None

    def _get(self, path: str) -> tuple[int, bytes]:
        try:
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=self.timeout, context=self._context()
            )
            try:
                connection.request("GET", path, headers={"Accept": "application/json"})
                response = connection.getresponse()
                return response.status, response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return 0, b""

    def _context(self) -> ssl.SSLContext:
        context = loopback_context(self.authority)
        context.load_cert_chain(str(self.certificate), str(self.key))
        return context


def loopback_context(authority: Path) -> ssl.SSLContext:
    """Trust what k3s serves with the CA on this disk, and nobody else."""
    context = ssl.create_default_context(cafile=str(authority))
    # Python 3.13 became strict about key identifiers, which the certificates of k3s do not carry.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
