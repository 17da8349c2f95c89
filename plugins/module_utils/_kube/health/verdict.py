# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What can be said about the health of an object, and what one must know to say it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Kinds whose objects are as good as they will ever be once they are there.
SETTLED_KINDS = frozenset(
    {
        "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Endpoints", "IngressClass", "LimitRange",
        "MutatingWebhookConfiguration", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "PriorityClass",
        "ResourceQuota", "Role", "RoleBinding", "RuntimeClass", "Secret", "ServiceAccount", "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)  # fmt: skip


class Status(StrEnum):
    """How far an object is; the words are those of kstatus."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Health:
    """The status of one object; the reason is one word for programs, the message is for people.

    A warning is Current, yet a person should read the message: a LoadBalancer that nothing will ever serve, say.
    """

    status: Status
    message: str
    reason: str = ""
    warning: bool = False

    @property
    def is_current(self) -> bool:
        return self.status is Status.CURRENT

    @property
    def is_failed(self) -> bool:
        return self.status is Status.FAILED


@dataclass(frozen=True)
class Surroundings:
    """What an object alone does not tell.

    now: the present time; without it nothing is called failed for having lasted too long.
    late_binding_classes: names of StorageClasses that bind a volume only when a pod uses it (WaitForFirstConsumer).
    load_balancer: whether something in the cluster gives addresses to Services of type LoadBalancer.
    """

    now: datetime | None = None
    late_binding_classes: frozenset[str] = frozenset()
    load_balancer: bool = True


def current(message: str, reason: str = "") -> Health:
    return Health(Status.CURRENT, message, reason)


def warned(message: str, reason: str) -> Health:
    return Health(Status.CURRENT, message, reason, warning=True)


def in_progress(message: str, reason: str) -> Health:
    return Health(Status.IN_PROGRESS, message, reason)


def failed(message: str, reason: str) -> Health:
    return Health(Status.FAILED, message, reason)
