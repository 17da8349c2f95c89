# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Keeps a package's record in the cluster, and notices when another run writes it."""

from __future__ import annotations

from ..._errors import ClusterError
from ..._kube.change.live import Live
from ..._kube.change.record import Record
from ..._kube.fields import field, known, text
from ..._kube.port import Cluster
from ..._kube.resources import Resource
from ..._kube.server.refusal import Reason, RefusedError
from .record import MANAGER, NAMESPACE, bare_record, read_record, secret_name, write_record
from .turns import busy

_BIRTH_MANAGER = "hearth-record"


class RecordKeeper:
    """Reads a record once and then writes it only over what it has read or written itself."""

    def __init__(self, cluster: Cluster, package: str) -> None:
        self._cluster = cluster
        self._package = package
        self._version = ""

    def read(self) -> Record:
        live = self._cluster.get(self._secrets(), NAMESPACE, secret_name(self._package))
        self._version = _version_of(live) if live else ""
        return read_record(self._package, live)

    def is_out_of_date(self) -> bool:
        """Whether somebody has written the record since it was read or written here."""
        live = self._cluster.get(self._secrets(), NAMESPACE, secret_name(self._package))
        return (_version_of(live) if live else "") != self._version

    def write(self, record: Record) -> None:
        if not self._version:
            self._version = self._give_birth()
        content = write_record(record)
        content["metadata"]["resourceVersion"] = self._version
        try:
            written = self._cluster.apply(self._secrets(), content, force=True, manager=MANAGER)
        except RefusedError as error:
            if error.reason not in (Reason.STALE, Reason.NOT_FOUND):
                raise
            # Where the answer to a write is lost it is sent again, and finds what it wrote itself.
            found = self._cluster.get(self._secrets(), NAMESPACE, secret_name(self._package))
            if found is None or field(found, "data") != content["data"]:
                raise self._somebody_else() from error
            written = found
        self._version = _version_of(written)

    def remove(self) -> None:
        if self._version:
            self._cluster.delete(self._secrets(), NAMESPACE, secret_name(self._package))

    def _give_birth(self) -> str:
        """Make the Secret without a release in it: of two runs that do so at once, only one can write into it."""
        content = bare_record(self._package)
        live = self._cluster.apply(self._secrets(), content, force=True, manager=_BIRTH_MANAGER)
        if field(live, "data"):
            raise self._somebody_else()
        return _version_of(live)

    def _somebody_else(self) -> ClusterError:
        return busy(self._package, "another run")

    def _secrets(self) -> Resource:
        return known(self._cluster.catalogue().find("v1", "Secret"))


def _version_of(live: Live) -> str:
    return text(live, "metadata", "resourceVersion")
