# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. In which order objects are applied, and in which they are deleted."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from ..manifest import Identity, Manifest
from ..resources import Catalogue, is_definition


class Stage(IntEnum):
    """Everything of a stage is applied, at once, before anything of the next."""

    FOUNDATION = 0  # namespaces and definitions: what other objects need to be accepted at all
    SETTINGS = 1  # classes, accounts, rights, configuration, claims: what pods need to start
    WORKLOADS = 2
    WEBHOOKS = 3  # after the pods that answer them
    CUSTOM = 4  # after the webhooks that check them and the operators that serve them


_BUILT_IN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
_FOUNDATION = frozenset({"Namespace", "CustomResourceDefinition"})
_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "APIService"})
_WORKLOADS = frozenset(
    {
        "CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "Pod", "ReplicaSet",
        "ReplicationController", "Service", "StatefulSet",
    }
)  # fmt: skip


def stage_of(identity: Identity, defined: frozenset[tuple[str, str]] = frozenset()) -> Stage:
    """The stage of an object; `defined` holds group and kind of what the package itself defines."""
    is_built_in = identity.group in _BUILT_IN_GROUPS or identity.group.endswith(".k8s.io")
    if not is_built_in or (identity.group, identity.kind) in defined:
        return Stage.CUSTOM
    if identity.kind in _FOUNDATION:
        return Stage.FOUNDATION
    if identity.kind in _WEBHOOKS:
        return Stage.WEBHOOKS
    return Stage.WORKLOADS if identity.kind in _WORKLOADS else Stage.SETTINGS


def defined_kinds(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """Group and kind of everything that the definitions among the manifests define."""
    definitions = [manifest for manifest in manifests if is_definition(manifest)]
    return frozenset(Catalogue(()).with_definitions(definitions).kinds())


def deletion_rank(identity: Identity) -> int:
    """Lower ranks are deleted first: what needs an operator or a webhook goes while that still runs."""
    if identity.kind == "Namespace" and not identity.group:
        return 6
    if identity.kind == "CustomResourceDefinition":
        return 5
    # Webhooks go before the pods that answer them, or nothing could be written any more.
    by_stage = {Stage.CUSTOM: 0, Stage.WEBHOOKS: 1, Stage.WORKLOADS: 2, Stage.SETTINGS: 3, Stage.FOUNDATION: 4}
    return by_stage[stage_of(identity)]
