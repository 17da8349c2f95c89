# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The connection to an API server; the only importer of the library ``kubernetes``.

The library is imported only for kubeconfigs whose credentials another program makes, and only to run that program:
importing it takes longer than a whole run that has nothing to change, its typed models cost seconds on large packages,
and its request helpers changed shape between releases.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from ..._errors import InputError
from .credentials import Credentials, read_credentials
from .refusal import UnreachableError, refusal
from .wire import FAILURES, Answer, Wire

T = TypeVar("T")

_BROKEN_LIBRARY_VERSIONS = ("36.0.0",)  # sends requests without credentials

# How the server's audit log names this collection.
_WHO = {"User-Agent": "hearth.cluster"}

# A server that has answered and then does not is restarting, or another one takes over its address: that passes.
_SECONDS_OF_PATIENCE = 90.0
_SECONDS_BETWEEN_ATTEMPTS = 0.5


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster, as whom. `server` overrides the address that the kubeconfig names."""

    kubeconfig: str | None = None
    context: str | None = None
    server: str | None = None
    request_timeout: float = 60.0


class Connection:
    """Sends requests to one API server and turns whatever goes wrong into one clear error."""

    def __init__(self, credentials: Credentials, timeout: float) -> None:
        self.server = credentials.server
        self._authorization = credentials.headers
        self._wire = Wire(credentials)
        self._timeout = timeout
        self._has_answered = False

    def json(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        secret: bool = False,
    ) -> Any:
        """Send one request and return the answer's JSON; `doing` completes the sentence "Cannot …"."""
        answer = self.answer(
            method, path, doing=doing, query=query, body=body, content_type=content_type, accept=accept
        )
        if answer.status >= 300:
            raise refusal(answer.status, answer.body, doing=doing, secret=secret, retry_after=answer.retry_after)
        return json.loads(answer.body)

    def answer(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Answer:
        """Send one request and return whatever the server answers, a refusal as well."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        if data is not None:
            headers["Content-Type"] = content_type
        return self._ask(method, path, doing=doing, headers=headers, query=query, body=data)

    def text(self, path: str, *, doing: str, query: Mapping[str, str]) -> str:
        answer = self._ask("GET", path, doing=doing, headers={"Accept": "*/*"}, query=query)
        if answer.status >= 300:
            raise refusal(answer.status, answer.body, doing=doing)
        return answer.body.decode(errors="replace")

    def lines(self, path: str, *, doing: str, query: Mapping[str, str], seconds: float) -> Iterator[bytes]:
        """Stream the lines of a watch until the server ends it."""

        def follow() -> Answer:
            headers = {"Accept": "application/json", **_WHO, **self._authorization()}
            target = _target(path, query)
            return self._wire.follow(target, headers=headers, timeout=self._timeout, silence=seconds + 30)

        answer = self._patiently(follow, doing)
        if answer.status >= 300:
            raise refusal(answer.status, answer.body, doing=doing)
        try:
            yield from answer.lines
        except FAILURES:
            return  # the watcher begins anew

    def _ask(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        def ask() -> Answer:
            authorized = {**headers, **_WHO, **self._authorization()}
            return self._wire.ask(method, _target(path, query), headers=authorized, body=body, timeout=self._timeout)

        return self._patiently(ask, doing)

    def _patiently(self, ask: Callable[[], T], doing: str) -> T:
        deadline = time.monotonic() + (_SECONDS_OF_PATIENCE if self._has_answered else 0.0)
        while True:
            try:
                answer = ask()
            except FAILURES as error:
                unreachable = self._unreachable(error, doing)
                if not unreachable.passing or time.monotonic() > deadline:
                    raise unreachable from error
                time.sleep(_SECONDS_BETWEEN_ATTEMPTS)
            else:
                self._has_answered = True
                return answer

    def _unreachable(self, error: Exception, doing: str) -> UnreachableError:
        where = f"Cannot {doing}: the API server {self.server}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"{where} shows a certificate that the kubeconfig does not trust ({error.verify_message});"
                " the cluster was made anew or another machine answers there: fetch the kubeconfig again",
                passing=False,
            )
        if isinstance(error, ConnectionRefusedError):
            return UnreachableError(
                f"{where} refuses the connection: nothing listens there; is k3s running on that host?"
            )
        if isinstance(error, socket.gaierror):
            return UnreachableError(
                f"{where} is a name that cannot be resolved; correct it in the kubeconfig", passing=False
            )
        if isinstance(error, TimeoutError):
            return UnreachableError(
                f"{where} does not answer in {self._timeout:g} seconds; is the host up, is a firewall between?"
            )
        return UnreachableError(f"{where} cannot be reached: {error or type(error).__name__}")


def _target(path: str, query: Mapping[str, str] | None) -> str:
    return path + (f"?{urlencode(query)}" if query else "")


def connect(access: Access) -> Connection:
    """Read the kubeconfig and prepare a connection; nothing is sent yet."""
    return Connection(credentials_of(access), access.request_timeout)


def credentials_of(access: Access) -> Credentials:
    """What the kubeconfig says, with the address that overrides its own."""
    paths = _kubeconfig_files(access)
    credentials = _credentials_in(paths[0], access.context) if len(paths) == 1 else None
    if credentials is None:
        credentials = _credentials_by_library(os.pathsep.join(map(str, paths)), access.context)
    return credentials.at(access.server) if access.server else credentials


def _kubeconfig_files(access: Access) -> list[Path]:
    """Found as kubectl finds them: the option, then the environment (perhaps several, some absent), then the home."""
    named = access.kubeconfig or ""
    several = "" if named else os.environ.get("KUBECONFIG", "")
    candidates = [Path(path).expanduser() for path in several.split(os.pathsep) if path] if several else []
    candidates = candidates or [Path(named or "~/.kube/config").expanduser()]
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise InputError(f"There is no kubeconfig {candidates[0]}; set up the cluster first, or name another file")
    return found


def _credentials_in(path: Path, context: str | None) -> Credentials | None:
    return read_credentials(_read(path), str(path), context, lambda name: _read(path.parent / Path(name).expanduser()))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}, which the kubeconfig needs, cannot be read: {error}") from error


def _credentials_by_library(paths: str, context: str | None) -> Credentials:
    try:
        import kubernetes  # noqa: PLC0415  # here and not above: it costs more time than all the rest
        from kubernetes.config import ConfigException, load_kube_config  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"The kubeconfig {paths} needs the Python library kubernetes, because a program makes its credentials or it"
            " is several files; the library is not installed for the interpreter that runs this module: install it with"
            " 'pip install kubernetes'"
        ) from error
    if kubernetes.__version__ in _BROKEN_LIBRARY_VERSIONS:
        raise InputError(
            f"The Python library kubernetes {kubernetes.__version__} sends requests without credentials;"
            " upgrade it with 'pip install --upgrade kubernetes'"
        )
    configuration = kubernetes.client.Configuration()
    try:
        load_kube_config(paths, context=context, client_configuration=configuration, persist_config=False)
    except ConfigException as error:
        raise InputError(f"The kubeconfig {paths} cannot be used: {error}") from error
    return _of_library(configuration)


def _of_library(configuration: Any) -> Credentials:
    def content(path: str | None) -> str:
        return _read(Path(path)) if path else ""

    def headers() -> dict[str, str]:  # renews a token that has run out
        settings = configuration.auth_settings().values()
        return {
            setting["key"]: setting["value"] for setting in settings if setting["in"] == "header" and setting["value"]
        }

    return Credentials(
        server=str(configuration.host).rstrip("/"),
        authority=content(configuration.ssl_ca_cert),
        verify=bool(configuration.verify_ssl),
        server_name=configuration.tls_server_name or "",
        proxy=configuration.proxy or "",
        certificate=content(configuration.cert_file),
        key=content(configuration.key_file),
        headers=headers,
    )
