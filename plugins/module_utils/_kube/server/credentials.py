# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a kubeconfig says: which server, trusted how, as whom.

k3s, kubeadm and kind write kubeconfigs with certificates, tokens or a password in them; those are read here, in no
time. A user whose credentials another program makes (``exec``, ``auth-provider``) is left to the library
``kubernetes``, because importing that takes longer than a whole run that has nothing to change.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..._errors import InputError
from ..fields import mapping, sequence, text
from ..yaml import read_documents

ReadFile = Callable[[str], str]
Headers = Mapping[str, str]

_MADE_BY_PROGRAMS = ("exec", "auth-provider")
_IMPERSONATION = ("as", "as-uid", "as-groups", "as-user-extra")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Certificates and keys are PEM; an empty authority means those that the machine trusts."""

    server: str
    authority: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""
    certificate: str = ""
    key: str = ""
    headers: Callable[[], Headers] = dict  # asked for each request, because tokens can be renewed

    def at(self, server: str) -> Credentials:
        """The same for another address of the cluster."""
        return replace(self, server=server.rstrip("/"))


def read_credentials(content: str, origin: str, context: str | None, read_file: ReadFile) -> Credentials | None:
    """Read a kubeconfig; None where a program makes the credentials. `read_file` reads files that it names."""
    config = next((document.content for document in read_documents(content, origin)), None)
    chosen = context or text(config, "current-context")
    if not chosen:
        raise InputError(f"The kubeconfig {origin} has no current-context; set it, or name a context")
    names = _entry(config, "contexts", "context", chosen, origin)
    cluster = _entry(config, "clusters", "cluster", text(names, "cluster"), origin)
    user = _entry(config, "users", "user", text(names, "user"), origin) if text(names, "user") else {}
    _refuse_impersonation(user, origin)
    if any(user.get(way) for way in _MADE_BY_PROGRAMS):
        return None
    values = _Values(origin, read_file)
    if not text(cluster, "server"):
        raise InputError(
            f"The kubeconfig {origin} has no server in cluster {text(names, 'cluster')!r}; add its address"
        )
    return Credentials(
        server=text(cluster, "server").rstrip("/"),
        authority=values.of(cluster, "certificate-authority"),
        verify=not cluster.get("insecure-skip-tls-verify"),
        server_name=text(cluster, "tls-server-name"),
        proxy=text(cluster, "proxy-url"),
        certificate=values.of(user, "client-certificate"),
        key=values.of(user, "client-key"),
        headers=_always(_headers(user, values)),
    )


def _always(headers: Headers) -> Callable[[], Headers]:
    return lambda: headers


def _entry(config: Any, part: str, key: str, name: str, origin: str) -> Mapping[str, Any]:
    """The entry of a name in one of the three lists of a kubeconfig."""
    entries = {text(entry, "name"): mapping(entry, key) for entry in sequence(config, part)}
    if name not in entries:
        there = ", ".join(sorted(entries)) or "none"
        raise InputError(f"The kubeconfig {origin} has no {key} {name!r}; it has: {there}")
    return entries[name]


@dataclass(frozen=True, slots=True)
class _Values:
    """Values that stand in the kubeconfig itself (``NAME-data``, base64), or in a file that it names (``NAME``)."""

    origin: str
    read_file: ReadFile

    def of(self, entry: Mapping[str, Any], name: str) -> str:
        inside = text(entry, f"{name}-data")
        if inside:
            try:
                return base64.b64decode(inside, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise InputError(
                    f"The kubeconfig {self.origin} has a {name}-data that is no base64 text; fetch the kubeconfig again"
                ) from error
        return self.read_file(text(entry, name)) if text(entry, name) else ""


def _refuse_impersonation(user: Mapping[str, Any], origin: str) -> None:
    """Passing over it would send requests with more rights than meant."""
    found = next((key for key in _IMPERSONATION if user.get(key)), "")
    if found:
        raise InputError(
            f"The kubeconfig {origin} has a user with {found!r}: acting as somebody else is not supported; use a"
            " kubeconfig of that user"
        )


def _headers(user: Mapping[str, Any], values: _Values) -> Headers:
    token = text(user, "token") or (values.read_file(text(user, "tokenFile")) if user.get("tokenFile") else "")
    if token:
        return {"Authorization": f"Bearer {token.strip()}"}
    if not text(user, "username"):
        return {}
    pair = f"{text(user, 'username')}:{text(user, 'password')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
