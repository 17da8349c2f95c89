# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a cluster is as well as it was, so that one may go on to the next machine.

Reads what the module cluster_info returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .deprecation import minor_of
from .node import OUT_OF_SERVICE, RETURNED

Info = Mapping[str, Any]

_IN_DOUBT = " (a run that was cut short may have stopped it; if it was ill even before that, just run this again)"


@dataclass(frozen=True, slots=True)
class _Ill:
    """Something that is ill. By namespace, kind and name, and the node where it matters, it is known again later."""

    who: tuple[str, str, str]
    sentence: str
    of_itself: bool  # and not only because it was stopped, or is on its way to another node


def lacking(now: Info, before: Info) -> list[str]:
    """One sentence for each thing that a cluster lacks, other than what was ill before.

    Where a run that was cut short had left nodes out of service, nobody knows how that was before which it had stopped;
    it has to be well once these nodes are back.
    """
    ill_before = list(_ill(before))
    excused = {ill.who for ill in ill_before}
    in_doubt = excused - {ill.who for ill in ill_before if ill.of_itself}
    if not _marks(before) or _marks(now) - {RETURNED}:
        in_doubt = set()
    excused -= in_doubt
    return [
        *_lacks(now),
        *(ill.sentence + (_IN_DOUBT if ill.who in in_doubt else "") for ill in _ill(now) if ill.who not in excused),
    ]


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


def _marks(info: Info) -> set[str]:
    """What playbooks say of nodes that they have taken out of service."""
    return {node["labels"][OUT_OF_SERVICE] for node in info["nodes"] if OUT_OF_SERVICE in node["labels"]}


def _ill(info: Info) -> Iterator[_Ill]:
    """What is ill. Pods that could not be made are missed by their workload alone."""
    for pod in info["pods"]["unhealthy"]:
        # The pods of a job are done when they are done, and one that has failed is only what is left of it.
        if not pod["owner"].startswith("Job ") and pod["phase"] != "Failed":
            sentence = f"pod {pod['namespace']}/{pod['name']}: {pod['message']}"
            yield _Ill(_who(pod), sentence, of_itself=pod["status"] == "Failed" and bool(pod["node"]))
    for one in info["workloads"]["unhealthy"]:
        sentence = f"{one['kind']} {one['namespace']}/{one['name']}: {one['message']}"
        who = one["namespace"], f"{one['kind']} {one['name']}", ""
        yield _Ill(who, sentence, of_itself=one["status"] == "Failed")


def _who(pod: Mapping[str, str]) -> tuple[str, str, str]:
    """A pod that is moved has another name afterwards; what made it is the same. One of a DaemonSet is not moved."""
    return pod["namespace"], pod["owner"] or pod["name"], pod["node"] if pod["owner"].startswith("DaemonSet ") else ""
