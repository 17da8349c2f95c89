# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Kubeconfig documents: name a cluster's entries, and put them into another by name."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from .._errors import InputError

Document = dict[str, Any]
_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}


def named(document: Mapping[str, Any], name: str, server: str) -> Document:
    """Rewrite k3s' own kubeconfig, whose entries are all called ``default`` and point at the loopback address."""
    _check(document, "the kubeconfig of k3s")
    cluster = {**_only(document, "clusters")["cluster"], "server": server}
    user = _only(document, "users")["user"]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
        "preferences": {},
    }


def merged(into: Mapping[str, Any], source: Mapping[str, Any], *, use_context: bool) -> Document:
    """Put the entries of one document into another by name; all other entries, and their order, stay."""
    result = copy.deepcopy(dict(into)) or {"apiVersion": "v1", "kind": "Config", "preferences": {}}
    _check(result, "the kubeconfig to merge into")
    for section in _SECTIONS:
        result[section] = _with_entries(result.get(section) or [], source.get(section) or [])
    if use_context or not result.get("current-context"):
        result["current-context"] = source.get("current-context", "")
    return result


def replaced(former: Mapping[str, Any], source: Mapping[str, Any], path: str) -> Document:
    """Put one document in the place of another, which may hold no entry of another name: that would be lost."""
    _check(former, path)
    others = [
        str(entry.get("name"))
        for section in _SECTIONS
        for entry in former.get(section) or []
        if entry.get("name") not in {ours["name"] for ours in source[section]}
    ]
    if others:
        raise InputError(
            f"{path} also has entries called {', '.join(dict.fromkeys(others))}, which would be lost: put the cluster "
            "beside them with merge=true, or name a file of its own (role k3s: k3s_kubeconfig_merge is for the one, "
            "k3s_kubeconfig for the other)"
        )
    return dict(source)


def without_secrets(document: Mapping[str, Any]) -> Document:
    """Show a document with a mark in place of each credential."""
    shown = copy.deepcopy(dict(document))
    for entry in shown.get("users") or []:
        entry["user"] = dict.fromkeys(entry.get("user") or {}, "********")
    return shown


def credentials_digest(document: Mapping[str, Any], name: str = "") -> str:
    """Return a digest of the public halves, the CA and the client's certificate; nothing can be derived from it."""
    clusters = [one for one in document.get("clusters") or [] if not name or one.get("name") == name]
    users = [one for one in document.get("users") or [] if not name or one.get("name") == name]
    if len(clusters) != 1 or len(users) != 1:
        return ""
    authority = (clusters[0].get("cluster") or {}).get("certificate-authority-data", "")
    certificate = (users[0].get("user") or {}).get("client-certificate-data", "")
    return digest_of(authority, certificate) if authority and certificate else ""


def digest_of(authority: str, certificate: str) -> str:
    """The digest over the two values as they stand in a kubeconfig, in base64."""
    return hashlib.sha256(f"{authority}\n{certificate}".encode()).hexdigest()


def is_current(document: Any, name: str, digests: list[str], servers: list[str]) -> bool:
    """Tell whether a kubeconfig already serves: credentials that a server gives out, and the address of one.

    Each server makes a certificate of its own, so the digests of all of them are good.
    """
    if not isinstance(document, Mapping) or credentials_digest(document, name) not in filter(None, digests):
        return False
    cluster = next(one for one in document["clusters"] if one.get("name") == name)["cluster"]
    contexts = {one.get("name") for one in document.get("contexts") or []}
    return name in contexts and cluster.get("server") in servers


def _with_entries(entries: list[Document], new: list[Document]) -> list[Document]:
    replaced = {entry["name"]: copy.deepcopy(entry) for entry in new}
    kept = [replaced.pop(entry.get("name"), entry) for entry in entries]
    return [*kept, *replaced.values()]


def _only(document: Mapping[str, Any], section: str) -> Document:
    entries = document.get(section) or []
    if len(entries) != 1:
        raise InputError(f"the kubeconfig of k3s should have one entry in {section!r} and has {len(entries)}")
    entry: Document = entries[0]
    return entry


def _check(document: Any, what: str) -> None:
    if not isinstance(document, Mapping):
        raise InputError(f"{what} is not a YAML mapping")
    for section in _SECTIONS:
        if not isinstance(document.get(section) or [], list):
            raise InputError(f"{what} has something else than a list in {section!r}")
