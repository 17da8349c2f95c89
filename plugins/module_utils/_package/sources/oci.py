# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Read artifacts out of registries, by the few requests of the distribution protocol.

No library does it here: those that exist open connections of their own, which know nothing of mirrors, of broken
downloads and of what is kept already.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ..._errors import FetchError, InputError
from .archive import looks_like_archive, unpack
from .credentials import basic_credentials
from .download import Downloads
from .transfer import Answer, UnauthorizedError
from .tree import Tree, refuse_outside

_ADDRESS = re.compile(
    r"oci://(?P<host>[^/]+)/(?P<name>[a-z0-9._/-]+?)(?::(?P<tag>[\w][\w.+-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)
_LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?")
_KINDS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_TITLE = "org.opencontainers.image.title"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass(frozen=True)
class Reference:
    """Where an artifact lies. A tag cannot hold a plus sign, which versions of charts have; an underscore stands in."""

    host: str
    name: str
    version: str

    @property
    def root(self) -> str:
        scheme = "http" if _LOCAL.fullmatch(self.host) else "https"
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return f"{scheme}://{host}/v2/{self.name}"


def read_reference(address: str) -> Reference:
    match = _ADDRESS.fullmatch(address)
    if match is None or not (match["tag"] or match["digest"]):
        raise InputError(f"{address!r} is no address of an artifact; it looks like oci://ghcr.io/owner/name:tag")
    digest = f"sha256:{match['digest']}" if match["digest"] else ""
    return Reference(match["host"], match["name"], digest or match["tag"].replace("+", "_"))


@dataclass
class Registries:
    """Asks registries, and remembers what they said about who may read what."""

    downloads: Downloads
    _permits: dict[str, str] = field(default_factory=dict)

    def chart(self, address: str) -> bytes:
        """The archive of a chart."""
        for layer in self._layers(address):
            if layer.get("mediaType") == CHART_LAYER:
                return self._blob(read_reference(address), layer)
        raise FetchError(f"{address} is no chart of Helm; read it with source.oci if it holds manifests")

    def files(self, address: str) -> Tree:
        """All files of an artifact: archives unpacked, others by the names they were pushed with."""
        reference, tree = read_reference(address), dict[str, bytes]()
        for number, layer in enumerate(self._layers(address)):
            raw = self._blob(reference, layer)
            if looks_like_archive(raw):
                tree.update(unpack(raw, address))
            else:
                name = str((layer.get("annotations") or {}).get(_TITLE) or f"layer-{number}.yaml")
                refuse_outside(name, address)
                tree[name] = raw
        return tree

    def _layers(self, address: str) -> Sequence[Mapping[str, Any]]:
        reference = read_reference(address)
        raw = self.downloads.pinned(address, lambda: self._manifest(reference))
        content = _json(raw, address)
        if isinstance(content.get("manifests"), list):
            raise FetchError(f"{address} is an index of images for several machines, not one artifact")
        layers = content.get("layers")
        if not isinstance(layers, list) or not layers:
            raise FetchError(f"{address} has nothing in it")
        return layers

    def _manifest(self, reference: Reference) -> bytes:
        raw = self._ask(reference, f"manifests/{reference.version}", {"Accept": _KINDS}).content
        if reference.version.startswith("sha256:"):
            _verify(raw, reference.version, f"{reference.root}/manifests/{reference.version}")
        return raw

    def _blob(self, reference: Reference, layer: Mapping[str, Any]) -> bytes:
        digest = str(layer.get("digest", ""))
        kept = self.downloads.kept(digest.removeprefix("sha256:"))
        if kept is not None:
            return kept
        raw = self._ask(reference, f"blobs/{digest}", {}).content
        _verify(raw, digest, f"{reference.root}/blobs/{digest}")
        self.downloads.keep(raw)
        return raw

    def _ask(self, reference: Reference, path: str, headers: Mapping[str, str]) -> Answer:
        address = f"{reference.root}/{path}"
        try:
            return self._ask_with_permit(reference, address, headers)
        except UnauthorizedError as refused:
            raise FetchError(
                f"{refused}; log in with 'docker login {reference.host}' or 'helm registry login {reference.host}'",
                reason="forbidden",
            ) from None  # it says all that the refusal said

    def _ask_with_permit(self, reference: Reference, address: str, headers: Mapping[str, str]) -> Answer:
        try:
            return self.downloads.fresh(address, {**headers, **self._permit(reference)})
        except UnauthorizedError as asked:
            self._permits[reference.root] = self._answer(asked, reference)
        return self.downloads.fresh(address, {**headers, **self._permit(reference)})

    def _permit(self, reference: Reference) -> dict[str, str]:
        permit = self._permits.get(reference.root, "")
        return {"Authorization": permit} if permit else {}

    def _answer(self, error: UnauthorizedError, reference: Reference) -> str:
        """What to answer to a registry that asks who we are: our name, or a token that its guard gives for it."""
        kind, _blank, rest = error.challenge.partition(" ")
        known = basic_credentials(reference.host)
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or "realm" not in told:
            return known
        query = urlencode(
            {"service": told.get("service", ""), "scope": told.get("scope") or f"repository:{reference.name}:pull"}
        )
        headers = {"Authorization": known} if known else {}
        raw = self.downloads.fresh(f"{told['realm']}?{query}", headers, quiet=True).content
        content = _json(raw, told["realm"])
        return f"Bearer {content.get('token') or content.get('access_token') or ''}"


def _json(raw: bytes, address: str) -> Mapping[str, Any]:
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise FetchError(f"{address} answers with something that is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise FetchError(f"{address} answers with something that is no description of an artifact")
    return content


def _verify(raw: bytes, digest: str, address: str) -> None:
    found = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    if found != digest:
        raise FetchError(f"{address} is damaged: it must be {digest} and is {found}", reason="digest_mismatch")
