# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of apply and the ranks of deletion, compared with the orders of other tools."""

from __future__ import annotations

from itertools import combinations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.order import deletion_rank, stage_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity
from ansible_collections.hearth.cluster.tests.unit import fixtures

GROUPS = {
    "admissionregistration.k8s.io": ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    "apiextensions.k8s.io": ["CustomResourceDefinition"],
    "apiregistration.k8s.io": ["APIService"],
    "apps": ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
    "autoscaling": ["HorizontalPodAutoscaler"],
    "batch": ["CronJob", "Job"],
    "networking.k8s.io": ["Ingress", "IngressClass", "NetworkPolicy"],
    "policy": ["PodDisruptionBudget", "PodSecurityPolicy"],
    "rbac.authorization.k8s.io": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "scheduling.k8s.io": ["PriorityClass"],
    "storage.k8s.io": ["StorageClass"],
}
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}

# Kinds that stand in an earlier stage here than elsewhere, which never harms: nothing needs them later.
EARLIER = {
    "Namespace": "with the definitions, so that all that follows has its place",
    "CustomResourceDefinition": "first, so that they are served when custom resources come",
    "IngressClass": "with the other classes",
    "LimitRange": "before the pods that it limits",
    "PriorityClass": "before the pods that name it",
    "PersistentVolume": "before the pods that wait for it",
    "PersistentVolumeClaim": "before the pods that wait for it",
    "PodDisruptionBudget": "before the pods that it protects",
}

# Kinds that are deleted later here than by Helm, because what is still there needs them.
LATER = {
    "CustomResourceDefinition": "behind everything, so that custom resources can end in an orderly way",
    "Namespace": "at the very end: its deletion would take everything in it along, in no order",
    "IngressClass": "with the other classes",
}


def identity(kind: str) -> Identity:
    return Identity(GROUP_OF.get(kind, ""), kind, "", "x")


def pairs(name: str) -> list[tuple[str, str]]:
    content = fixtures.load("kind_orders.yaml")
    if content is None:
        pytest.skip("kind_orders.yaml is not there")
    # List kinds are taken apart when they are read, so they never are in an order.
    kinds = [kind for kind in content["orders"][name] if not kind.endswith("List")]
    return list(combinations(kinds, 2))


@pytest.mark.parametrize(
    "name", ["helm_install", "kustomize_defaultOrderFirst", "kustomize_defaultOrderLast", "argo_cd"]
)
def test_what_other_tools_apply_first_is_not_applied_later(name: str) -> None:
    for first, then in pairs(name):
        if then not in EARLIER:
            assert stage_of(identity(first)) <= stage_of(identity(then)), (first, then)


def test_what_helm_deletes_first_is_not_deleted_later() -> None:
    for first, then in pairs("helm_uninstall"):
        if first not in LATER:
            assert deletion_rank(identity(first)) <= deletion_rank(identity(then)), (first, then)


def test_what_stands_earlier_really_does() -> None:
    known = [pair for name in ("helm_install", "kustomize_defaultOrderFirst") for pair in pairs(name)]
    moved = {then for first, then in known if stage_of(identity(first)) > stage_of(identity(then))}
    assert moved == set(EARLIER)
