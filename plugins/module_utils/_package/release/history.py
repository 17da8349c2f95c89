# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The rendered sets of the last releases of a package, kept in the cluster to go back to.

What a release is (number, digest, how many objects, where it came from, whether it was healthy) stands in the record:
``read_record(package, live).history``, and ``.current`` is the one that is in the cluster. ``times`` adds when each
was made, from one LIST of metadata. Only who needs the objects themselves reads the set, with ``read``.

A set is JSON, ``{"format": 1, "objects": [{"content", "origin", "create_only"}, ...]}``, compressed by gzip and cut
into parts that each fit into a Secret ``kube-system/hearth-PACKAGE.vNUMBER.PART`` under the key ``set``. Secret values
are in it as they were rendered: it lies in Secrets and nowhere else.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from typing import Any

from ..._errors import ClusterError
from ..._kube.change.record import Release
from ..._kube.fields import known, mapping, text
from ..._kube.manifest import Manifest, digest_of
from ..._kube.port import Cluster
from ..._kube.resources import Collection, Resource
from ..render.hooks import is_for_upgrades_alone
from .record import MANAGER, NAMESPACE, secret_name

HISTORY_LABEL = "hearth.cluster/history"
_NUMBER_LABEL = "hearth.cluster/release"
_KEY = "set"
_FORMAT = 1
_PART_BYTES = 768 * 1024  # a Secret holds at most 1 MiB


def set_digest(manifests: Sequence[Manifest]) -> str:
    """A digest of a rendered set. Objects that are only ever made once may be rendered differently every time.

    What a chart runs at upgrades alone is not part of it: whether there is an upgrade is told by this digest.
    """
    lasting = (each for each in manifests if not is_for_upgrades_alone(each))
    return digest_of(sorted((str(each.identity), "" if each.create_only else each.digest) for each in lasting))


def pack(manifests: Sequence[Manifest]) -> list[bytes]:
    """A set as the bytes of its parts; the same set gives the same bytes."""
    objects = [{"content": each.content, "origin": each.origin, "create_only": each.create_only} for each in manifests]
    encoded = json.dumps({"format": _FORMAT, "objects": objects}, sort_keys=True, separators=(",", ":")).encode()
    packed = gzip.compress(encoded, mtime=0)
    return [packed[start : start + _PART_BYTES] for start in range(0, len(packed), _PART_BYTES)]


def unpack(parts: Sequence[bytes]) -> tuple[Manifest, ...]:
    content = json.loads(gzip.decompress(b"".join(parts)))
    if content["format"] != _FORMAT:
        raise ValueError(f"it has format {content['format']}, known is {_FORMAT}")
    return tuple(Manifest(each["content"], each["origin"], each["create_only"]) for each in content["objects"])


class History:
    """The kept sets of one package."""

    def __init__(self, cluster: Cluster, package: str) -> None:
        self._cluster = cluster
        self._package = package

    def store(self, number: int, parts: Sequence[bytes]) -> None:
        for place, part in enumerate(parts, start=1):
            self._cluster.apply(self._secrets(), self._content(number, place, part), force=True, manager=MANAGER)

    def read(self, release: Release) -> tuple[Manifest, ...]:
        """The objects of a release, as they were sent."""
        try:
            manifests = unpack([self._part(release.number, place) for place in range(1, release.parts + 1)])
            if set_digest(manifests) != release.digest:
                raise ValueError("its digest is another one than on record")
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            first = f"{NAMESPACE}/{self._name(release.number, 1)}"
            raise ClusterError(
                f"Release {release.number} of package {self._package}, kept in Secret {first}, cannot be read: {error};"
                " it is not possible to go back to it. Install the version that you want from its source instead"
            ) from error
        return manifests

    def times(self) -> dict[int, str]:
        """When each kept release was made, as the API server writes times."""
        return {
            int(text(live, "metadata", "labels", _NUMBER_LABEL)): text(live, "metadata", "creationTimestamp")
            for live in self._kept()
        }

    def sweep(self, wanted: Several[int]) -> None:
        """Remove all sets but those of these releases."""
        for live in self._kept():
            if int(text(live, "metadata", "labels", _NUMBER_LABEL)) not in wanted:
                metadata = mapping(live, "metadata")
                self._cluster.delete(self._secrets(), NAMESPACE, text(metadata, "name"), uid=text(metadata, "uid"))

    def _kept(self) -> Sequence[Mapping[str, Any]]:
        collection = Collection(self._secrets(), NAMESPACE)
        selector = f"{HISTORY_LABEL}={self._package},{_NUMBER_LABEL}"
        return self._cluster.list(collection, selector=selector, metadata_only=True)

    def _part(self, number: int, place: int) -> bytes:
        live = self._cluster.get(self._secrets(), NAMESPACE, self._name(number, place))
        if live is None:
            raise ValueError(f"Secret {self._name(number, place)} is gone")
        return base64.b64decode(text(live, "data", _KEY))

    def _content(self, number: int, place: int, part: bytes) -> dict[str, Any]:
        labels = {HISTORY_LABEL: self._package, _NUMBER_LABEL: str(number)}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "hearth.cluster/history",
            "metadata": {"name": self._name(number, place), "namespace": NAMESPACE, "labels": labels},
            "data": {_KEY: base64.b64encode(part).decode()},
        }

    def _name(self, number: int, place: int) -> str:
        return f"{secret_name(self._package)}.v{number}.{place}"  # packages have no dots in their names

    def _secrets(self) -> Resource:
        return known(self._cluster.catalogue().find("v1", "Secret"))
