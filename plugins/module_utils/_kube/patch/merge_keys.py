# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The merge keys of Kubernetes' own kinds, as data.

Source: the extensions x-kubernetes-patch-strategy, x-kubernetes-patch-merge-key and x-kubernetes-list-map-keys of the
OpenAPI document that a Kubernetes API server publishes (/openapi/v2, Kubernetes 1.36). Where the patch merge key is one
field and the list has several map keys (ports: the port, and the protocol), the map keys are taken: with the one field
TCP and UDP on the same port would become one.

Left out, because no manifest is patched there: fields of status, List kinds, and the schemas inside of
CustomResourceDefinitions, which lie below a list that is replaced as a whole. The keys are the same in all versions of
a group, so kinds go by group and name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A field that does not merge like plain JSON, or that leads to one."""

    type_name: str = ""
    keys: tuple[str, ...] = ()
    is_set: bool = False
    replaced: bool = False


def _a(type_name: str) -> Field:
    return Field(type_name)


def _by(*keys: str, of: str = "") -> Field:
    return Field(of, keys)


_SET = Field(is_set=True)
_REPLACED = Field(replaced=True)

# The API server completes these keys, so an element without one is the element with its default.
KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP"}

_CONTAINER = {
    "env": _by("name"),
    "ports": _by("containerPort", "protocol"),
    "volumeDevices": _by("devicePath"),
    "volumeMounts": _by("mountPath"),
}
_POLICY_SPEC = {"matchConditions": _by("name")}
_WEBHOOK = {"matchConditions": _by("name")}
_TEMPLATED = {"template": _a("PodTemplateSpec")}

TYPES: Mapping[str, Mapping[str, Field]] = {
    "ObjectMeta": {"finalizers": _SET, "ownerReferences": _by("uid")},
    "Container": _CONTAINER,
    "EphemeralContainer": _CONTAINER,
    "PodSpec": {
        "containers": _by("name", of="Container"),
        "ephemeralContainers": _by("name", of="EphemeralContainer"),
        "hostAliases": _by("ip"),
        "imagePullSecrets": _by("name"),
        "initContainers": _by("name", of="Container"),
        "resourceClaims": _by("name"),
        "schedulingGates": _by("name"),
        "topologySpreadConstraints": _by("topologyKey", "whenUnsatisfiable"),
        "volumes": _by("name"),
    },
    "PodTemplateSpec": {"metadata": _a("ObjectMeta"), "spec": _a("PodSpec")},
    "Pod": {"metadata": _a("ObjectMeta"), "spec": _a("PodSpec")},
    "PodTemplate": {"metadata": _a("ObjectMeta"), **_TEMPLATED},
    "DaemonSetSpec": _TEMPLATED,
    "DaemonSet": {"metadata": _a("ObjectMeta"), "spec": _a("DaemonSetSpec")},
    "DeploymentSpec": _TEMPLATED,
    "Deployment": {"metadata": _a("ObjectMeta"), "spec": _a("DeploymentSpec")},
    "ReplicaSetSpec": _TEMPLATED,
    "ReplicaSet": {"metadata": _a("ObjectMeta"), "spec": _a("ReplicaSetSpec")},
    "StatefulSetSpec": _TEMPLATED,
    "StatefulSet": {"metadata": _a("ObjectMeta"), "spec": _a("StatefulSetSpec")},
    "ReplicationControllerSpec": _TEMPLATED,
    "ReplicationController": {"metadata": _a("ObjectMeta"), "spec": _a("ReplicationControllerSpec")},
    "JobSpec": _TEMPLATED,
    "Job": {"metadata": _a("ObjectMeta"), "spec": _a("JobSpec")},
    "JobTemplateSpec": {"metadata": _a("ObjectMeta"), "spec": _a("JobSpec")},
    "CronJobSpec": {"jobTemplate": _a("JobTemplateSpec")},
    "CronJob": {"metadata": _a("ObjectMeta"), "spec": _a("CronJobSpec")},
    "NodeSpec": {"podCIDRs": _SET},
    "Node": {"metadata": _a("ObjectMeta"), "spec": _a("NodeSpec")},
    "ServiceSpec": {"ports": _by("port", "protocol")},
    "Service": {"metadata": _a("ObjectMeta"), "spec": _a("ServiceSpec")},
    "ServiceAccount": {"metadata": _a("ObjectMeta"), "secrets": _by("name")},
    "PodDisruptionBudgetSpec": {"selector": _REPLACED},
    "PodDisruptionBudget": {"metadata": _a("ObjectMeta"), "spec": _a("PodDisruptionBudgetSpec")},
    "CSINodeSpec": {"drivers": _by("name")},
    "CSINode": {"metadata": _a("ObjectMeta"), "spec": _a("CSINodeSpec")},
    "MutatingWebhook": _WEBHOOK,
    "MutatingWebhookConfiguration": {"metadata": _a("ObjectMeta"), "webhooks": _by("name", of="MutatingWebhook")},
    "ValidatingWebhook": _WEBHOOK,
    "ValidatingWebhookConfiguration": {"metadata": _a("ObjectMeta"), "webhooks": _by("name", of="ValidatingWebhook")},
    "MutatingAdmissionPolicySpec": _POLICY_SPEC,
    "MutatingAdmissionPolicy": {"metadata": _a("ObjectMeta"), "spec": _a("MutatingAdmissionPolicySpec")},
    "ValidatingAdmissionPolicySpec": {**_POLICY_SPEC, "variables": _by("name")},
    "ValidatingAdmissionPolicy": {"metadata": _a("ObjectMeta"), "spec": _a("ValidatingAdmissionPolicySpec")},
    "PodGroupSpec": {"resourceClaims": _by("name")},
    "PodGroup": {"metadata": _a("ObjectMeta"), "spec": _a("PodGroupSpec")},
}

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "": ("Node", "Pod", "PodTemplate", "ReplicationController", "Service", "ServiceAccount"),
    "admissionregistration.k8s.io": (
        "MutatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingWebhookConfiguration",
    ),
    "apps": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "batch": ("CronJob", "Job"),
    "policy": ("PodDisruptionBudget",),
    "scheduling.k8s.io": ("PodGroup",),
    "storage.k8s.io": ("CSINode",),
}

KINDS: Mapping[tuple[str, str], str] = {(group, kind): kind for group, kinds in _GROUPS.items() for kind in kinds}
