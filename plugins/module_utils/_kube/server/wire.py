# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Requests over keep-alive connections to one server, from several threads.

The standard library does it all: nothing is imported that costs time or could be missing.
"""

from __future__ import annotations

import http.client
import os
import ssl
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, LifoQueue
from urllib.parse import SplitResult, unquote, urlsplit

from ..._errors import InputError
from .credentials import Credentials
from .proxy import proxy_for

# What goes wrong on the way; an answer that is a refusal is none of these.
FAILURES = (OSError, http.client.HTTPException)

# How a server takes back a connection that it kept open: it is normal, and the request goes over a new one.
_CLOSED_MEANWHILE = (ConnectionError, http.client.BadStatusLine, http.client.CannotSendRequest, ssl.SSLEOFError)

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server sent back: a whole body, or lines that are still coming."""

    status: int
    body: bytes = b""
    retry_after: str = ""
    lines: Iterable[bytes] = ()


class Wire:
    """Connections to one server. Every request of this collection may safely be sent twice."""

    def __init__(self, credentials: Credentials) -> None:
        self._address = urlsplit(credentials.server)
        self._proxy = urlsplit(proxy_for(credentials.server, credentials.proxy, os.environ))
        self._server_name = credentials.server_name or self._address.hostname or ""
        self._tls = _tls_of(credentials) if self._address.scheme == "https" else None
        self._idle: LifoQueue[http.client.HTTPConnection] = LifoQueue()

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None, timeout: float
    ) -> Answer:
        """Send a request and wait for the whole answer."""
        connection, response = self._send(method, path, headers, body, timeout)
        with _closed_on_failure(connection):
            content = response.read()
        self._idle.put(connection)
        if response.getheader("Content-Encoding") == "gzip":
            content = zlib.decompress(content, _GZIP)
        return Answer(response.status, content, response.getheader("Retry-After", ""))

    def follow(self, path: str, *, headers: Mapping[str, str], timeout: float, silence: float) -> Answer:
        """Send a GET whose answer comes line by line; `silence` is for how long none may come."""
        connection, response = self._send("GET", path, headers, None, timeout)
        with _closed_on_failure(connection):
            if response.status >= 300:
                content = response.read()
                connection.close()
                return Answer(response.status, content)
            if connection.sock is not None:
                connection.sock.settimeout(silence)
        return Answer(response.status, lines=_lines_of(connection, response))

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        while True:
            connection, was_used = self._take(timeout)
            try:
                with _closed_on_failure(connection):
                    if connection.sock is None:
                        connection.connect()
                    # A server that refuses a long body says so and hangs up before it has read it all.
                    with suppress(BrokenPipeError, ConnectionResetError):
                        connection.request(method, self._address.path + path, body=body, headers=dict(headers))
                    return connection, connection.getresponse()
            except _CLOSED_MEANWHILE:
                if not was_used:
                    raise

    def _take(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        """An idle connection or a new one, and whether it was used before."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            return self._new(timeout), False
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection, True

    def _new(self, timeout: float) -> http.client.HTTPConnection:
        dialled = self._proxy if self._proxy.hostname else self._address
        host, port = dialled.hostname or "", _port_of(dialled)
        connection = (
            _TlsConnection(host, port, timeout, self._tls, self._server_name)
            if self._tls
            else http.client.HTTPConnection(host, port, timeout)
        )
        if dialled is self._proxy:
            headers = _proxy_headers(self._proxy)
            connection.set_tunnel(self._address.hostname or "", _port_of(self._address), headers)
        return connection


class _TlsConnection(http.client.HTTPConnection):
    """A TLS connection that asks for a given name, which need not be the one that is dialled."""

    def __init__(self, host: str, port: int, timeout: float, tls: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout)
        self._tls = tls
        self._server_name = server_name

    def connect(self) -> None:
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


@contextmanager
def _closed_on_failure(connection: http.client.HTTPConnection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _lines_of(connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while line := response.readline():
            yield line
    finally:
        connection.close()


def _port_of(address: SplitResult) -> int:
    return address.port or (443 if address.scheme == "https" else 80)


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _tls_of(credentials: Credentials) -> ssl.SSLContext:
    """Trust as kubectl does it: any certificate of the authority's file is an anchor, old ones of k3s are no fault."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not credentials.verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    elif credentials.authority:
        _load(lambda: tls.load_verify_locations(cadata=credentials.authority), "certificate authority", credentials)
    else:
        tls.load_default_certs()
    if credentials.certificate:
        _load(lambda: _load_client_certificate(tls, credentials), "client certificate", credentials)
    return tls


def _load_client_certificate(tls: ssl.SSLContext, credentials: Credentials) -> None:
    """Python reads a key from a file only; this one is readable by its owner alone, and gone at once."""
    with tempfile.NamedTemporaryFile("w", prefix="hearth-client-") as file:
        file.write(f"{credentials.certificate}\n{credentials.key}")
        file.flush()
        tls.load_cert_chain(file.name)


def _load(load: Callable[[], None], what: str, credentials: Credentials) -> None:
    try:
        load()
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            f"The kubeconfig's {what} for {credentials.server} cannot be read ({error}); fetch the kubeconfig again"
        ) from error
