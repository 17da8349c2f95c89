# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The options by which every face finds a cluster, and what faces make of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .fields import text
from .patience import Clock
from .port import Cluster
from .resources import Collection
from .server.api_server import open_cluster
from .server.client import Access
from .server.patient import PatientCluster

if TYPE_CHECKING:
    from .health.verdict import Surroundings

CONNECTION: Mapping[str, Any] = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "server": {"type": "str"},
    "request_timeout": {"type": "int", "default": 60},
}


def access_of(params: Mapping[str, Any]) -> Access:
    return Access(params["kubeconfig"], params["context"], params["server"], float(params["request_timeout"]))


def real_clock() -> Clock:
    return Clock(time.monotonic, time.sleep)


def cluster_for(params: Mapping[str, Any]) -> Cluster:
    return PatientCluster(open_cluster(access_of(params)), real_clock())


def reporter_for(params: Mapping[str, Any], secrets: Iterable[str] = ()) -> Callable[[str], None]:
    """Where lines of progress go, without secrets: a file that somebody follows, or nowhere."""
    path, hidden = params["progress_file"], sorted(secrets, key=len, reverse=True)

    def report(line: str) -> None:
        if path:
            for secret in hidden:
                line = line.replace(secret, "********")
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    return report


def surroundings_now(cluster: Cluster) -> Surroundings:
    """What the health of claims and services depends on, at this moment."""
    from .health.verdict import Surroundings  # noqa: PLC0415  # a run that waits for nothing starts without it

    classes = cluster.catalogue().find("storage.k8s.io/v1", "StorageClass")
    listed = cluster.list(Collection(classes, "")) if classes else ()
    late = frozenset(
        text(each, "metadata", "name") for each in listed if text(each, "volumeBindingMode") == "WaitForFirstConsumer"
    )
    return Surroundings(datetime.now(UTC), late)
