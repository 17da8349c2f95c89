# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Versions of APIs that are in use and that a later Kubernetes will not serve any more.

The API server itself counts who asks for what is deprecated, since its start. What lies in a repository and is sent
only now and then is found by the version that is on record in the objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._kube.change.live import Live, identity_of
from .._kube.fields import mapping, sequence, text

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_RESOURCE_KINDS = ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")

# From k8s.io/api, APILifecycleRemoved: the minor version of Kubernetes 1 that does not serve it any more.
_REMOVALS: Sequence[tuple[str, tuple[str, ...], int]] = (
    ("flowcontrol.apiserver.k8s.io/v1beta2", ("FlowSchema", "PriorityLevelConfiguration"), 29),
    ("flowcontrol.apiserver.k8s.io/v1beta3", ("FlowSchema", "PriorityLevelConfiguration"), 32),
    (
        "admissionregistration.k8s.io/v1beta1",
        ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        34,
    ),
    ("networking.k8s.io/v1beta1", ("IPAddress", "ServiceCIDR"), 37),
    ("storage.k8s.io/v1beta1", ("VolumeAttributesClass",), 37),
    ("resource.k8s.io/v1beta1", _RESOURCE_KINDS, 38),
    ("coordination.k8s.io/v1beta1", ("LeaseCandidate",), 39),
    ("resource.k8s.io/v1beta2", _RESOURCE_KINDS, 39),
    ("admissionregistration.k8s.io/v1beta1", ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"), 40),
    ("certificates.k8s.io/v1beta1", ("ClusterTrustBundle",), 40),
    ("certificates.k8s.io/v1beta1", ("PodCertificateRequest",), 41),
    ("storagemigration.k8s.io/v1beta1", ("StorageVersionMigration",), 41),
    ("resource.k8s.io/v1beta2", ("DeviceTaintRule",), 42),
)

_COUNTER = re.compile(r"^apiserver_requested_deprecated_apis\{(?P<labels>[^}]*)\}\s+(?P<value>\S+)", re.M)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MINOR = re.compile(r"^v?1\.(\d+)")


@dataclass(frozen=True)
class Requested:
    """A deprecated API that somebody has asked for; `removed_in` is empty where that is not decided."""

    group: str
    version: str
    resource: str
    removed_in: str


@dataclass(frozen=True)
class Written:
    """An object that somebody has written in a version that goes."""

    api_version: str
    kind: str
    namespace: str
    name: str
    manager: str
    removed_in: str


def minor_of(version: str) -> int:
    """The minor of v1.36.3+k3s1, 0 where it cannot be read."""
    found = _MINOR.match(version)
    return int(found[1]) if found else 0


def requested_in(metrics: str) -> list[Requested]:
    found = set()
    for counter in _COUNTER.finditer(metrics):
        labels = dict(_LABEL.findall(counter["labels"]))
        resource = "/".join(filter(None, (labels.get("resource", ""), labels.get("subresource", ""))))
        if counter["value"] != "0":
            found.add(
                Requested(
                    labels.get("group", ""), labels.get("version", ""), resource, labels.get("removed_release", "")
                )
            )
    return sorted(found, key=lambda each: (each.group, each.version, each.resource))


def kinds_to_look_at(version: str) -> list[tuple[str, str]]:
    """Group and kind of what a newer Kubernetes than this one serves in fewer versions."""
    return sorted(
        {
            (api_version.partition("/")[0], kind)
            for api_version, kinds, removed in _REMOVALS
            for kind in kinds
            if removed > minor_of(version)
        }
    )


def written_in_old_versions(objects: Sequence[Live], version: str) -> list[Written]:
    """The objects among these that somebody writes in a version which a newer Kubernetes than this one lacks."""
    going = {
        (api_version, kind): f"1.{removed}"
        for api_version, kinds, removed in _REMOVALS
        for kind in kinds
        if removed > minor_of(version)
    }
    found = []
    for live in objects:
        identity = identity_of(live)
        for api_version, manager in _written_as(live):
            removed_in = going.get((api_version, identity.kind))
            if removed_in:
                found.append(
                    Written(api_version, identity.kind, identity.namespace, identity.name, manager, removed_in)
                )
    return sorted(set(found), key=lambda each: (each.kind, each.namespace, each.name, each.api_version, each.manager))


def _written_as(live: Live) -> Iterator[tuple[str, str]]:
    """Each version that the object was written in, and by whom."""
    for entry in sequence(live, "metadata", "managedFields"):
        if not text(entry, "subresource"):
            yield text(entry, "apiVersion"), text(entry, "manager")
    applied = text(mapping(live, "metadata", "annotations"), _LAST_APPLIED)
    try:
        content = json.loads(applied) if applied else {}
    except ValueError:
        return
    if isinstance(content, Mapping):
        yield text(content, "apiVersion"), "kubectl apply"
