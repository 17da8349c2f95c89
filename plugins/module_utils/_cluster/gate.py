# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a cluster is as well as it was, so that one may go on to the next machine.

Reads what the module cluster_info returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .deprecation import minor_of

Info = Mapping[str, Any]

# Namespace, kind and name, and the node where it matters: by this an illness of before is known again.
_Who = tuple[str, str, str]


def lacking(now: Info, before: Info) -> list[str]:
    """One sentence for each thing that a cluster lacks, other than what was ill before."""
    ill_before = {who for who, _sentence in _ill(before)}
    return [*_lacks(now), *(sentence for who, sentence in _ill(now) if who not in ill_before)]


def removed_by(info: Info, version: str) -> list[str]:
    """One sentence for each API in use that this version does not serve any more."""
    apis, minor = info["deprecated_apis"], minor_of(version)
    asked = [
        f"somebody asks for {one['resource']} in {one['group']}/{one['version']}, which Kubernetes {one['removed_in']} "
        "does not serve any more"
        for one in apis["requested"]
        if _is_gone(one, minor)
    ]
    written = [
        f"{one['manager']} writes {one['kind']} {'/'.join(filter(None, (one['namespace'], one['name'])))} as "
        f"{one['api_version']}, which Kubernetes {one['removed_in']} does not serve any more"
        for one in apis["objects"]
        if _is_gone(one, minor)
    ]
    return [*written, *asked]


def _is_gone(one: Mapping[str, str], minor: int) -> bool:
    return bool(one["removed_in"]) and minor_of(one["removed_in"]) <= minor


def _lacks(now: Info) -> Iterator[str]:
    if not now["ready"]:
        yield f"the API server is not ready ({', '.join(now['failing_checks'])})"
    yield from (f"node {node['name']} is not Ready" for node in now["nodes"] if not node["ready"])
    yield from (
        f"{member['node']} is not a voting member of etcd ({member['message'] or 'not reported'})"
        for member in now["etcd"]["members"]
        if not member["voter"]
    )


def _ill(info: Info) -> Iterator[tuple[_Who, str]]:
    """What is ill, and the sentence about it. Pods that could not be made are missed by their workload alone."""
    for pod in info["pods"]["unhealthy"]:
        # The pods of a job are done when they are done, and one that has failed is only what is left of it.
        if not pod["owner"].startswith("Job ") and pod["phase"] != "Failed":
            yield _who(pod), f"pod {pod['namespace']}/{pod['name']}: {pod['message']}"
    for one in info["workloads"]["unhealthy"]:
        name = f"{one['kind']} {one['namespace']}/{one['name']}"
        yield (one["namespace"], f"{one['kind']} {one['name']}", ""), f"{name}: {one['message']}"


def _who(pod: Mapping[str, str]) -> _Who:
    """A pod that is moved has another name afterwards; what made it is the same. One of a DaemonSet is not moved."""
    return pod["namespace"], pod["owner"] or pod["name"], pod["node"] if pod["owner"].startswith("DaemonSet ") else ""
