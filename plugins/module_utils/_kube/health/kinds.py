# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The health of the built-in kinds that run no pods themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..fields import conditions, field, sequence, text
from .verdict import Health, Status, Surroundings, current, failed, in_progress, warned

# The scheduler writes this into a claim as soon as a pod that uses it has got a node.
_SELECTED_NODE = "volume.kubernetes.io/selected-node"

# Reasons for which an autoscaler will never work; all others pass when the metrics arrive.
_HOPELESS_SCALING = frozenset({"InvalidMetricSourceType", "InvalidSelector", "AmbiguousSelector"})


def _claim(live: Mapping[str, Any], around: Surroundings) -> Health:
    phase = text(live, "status", "phase")
    if phase == "Bound":
        return current(f"bound to {text(live, 'spec', 'volumeName') or 'a volume'}")
    if phase == "Lost":
        return failed(f"its volume {text(live, 'spec', 'volumeName')} is gone", "VolumeLost")
    if _waits_for_consumer(live, around):
        return current("bound as soon as a pod uses it", "WaitForFirstConsumer")
    return in_progress("not bound to a volume yet", "NotBound")


def _waits_for_consumer(live: Mapping[str, Any], around: Surroundings) -> bool:
    late = text(live, "spec", "storageClassName") in around.late_binding_classes
    return late and not field(live, "metadata", "annotations", _SELECTED_NODE)


def _service(live: Mapping[str, Any], around: Surroundings) -> Health:
    if text(live, "spec", "type") != "LoadBalancer":
        return current("exists")
    ingress = sequence(live, "status", "loadBalancer", "ingress")
    given = [text(entry, "ip") or text(entry, "hostname") for entry in ingress]
    addresses = [address for address in [*given, *sequence(live, "spec", "externalIPs")] if isinstance(address, str)]
    if any(addresses):
        return current(f"answers at {', '.join(filter(None, addresses))}")
    if not around.load_balancer:
        return warned("has no address, and nothing in the cluster serves LoadBalancer services", "NoLoadBalancer")
    return in_progress("waits for an address from the load balancer", "NoIPAssigned")


def _ingress(live: Mapping[str, Any], _around: Surroundings) -> Health:
    # Not every controller reports its address, so its absence is no reason to wait.
    found = [
        text(entry, "ip") or text(entry, "hostname") for entry in sequence(live, "status", "loadBalancer", "ingress")
    ]
    return current(f"answers at {', '.join(filter(None, found))}") if any(found) else current("exists", "NoAddress")


def _custom_resource_definition(live: Mapping[str, Any], _around: Surroundings) -> Health:
    found = conditions(live)
    names, established = found.get("NamesAccepted", {}), found.get("Established", {})
    if text(names, "status") == "False":
        return failed(text(names, "message") or "its names are taken", text(names, "reason") or "NamesNotAccepted")
    if text(established, "status") == "True":
        return current("established")
    reason = text(established, "reason") or "Installing"
    if text(established, "status") == "False" and reason != "Installing":
        return failed(text(established, "message") or "cannot be established", reason)
    return in_progress("being installed", "Installing")


def _disruption_budget(_live: Mapping[str, Any], _around: Surroundings) -> Health:
    return current("in force")


def _autoscaler(live: Mapping[str, Any], _around: Surroundings) -> Health:
    found = conditions(live)
    for name in ("AbleToScale", "ScalingActive"):
        condition = found.get(name, {})
        reason = text(condition, "reason")
        if text(condition, "status") != "False" or reason == "ScalingDisabled":
            continue
        message = text(condition, "message") or "cannot scale"
        # A target just started has no metrics for a minute; what it scales is healthy or not by itself.
        return failed(message, reason) if reason in _HOPELESS_SCALING else warned(message, reason or name)
    return current("scaling")


def _api_service(live: Mapping[str, Any], _around: Surroundings) -> Health:
    available = conditions(live).get("Available", {})
    if text(available, "status") == "True":
        return current("available")
    reason = text(available, "reason") or "NotAvailable"
    return in_progress(text(available, "message") or "its service does not answer yet", reason)


def _namespace(live: Mapping[str, Any], _around: Surroundings) -> Health:
    if text(live, "status", "phase") == "Terminating":
        return Health(Status.TERMINATING, "being deleted", "Deleted")
    return current("active")


def _volume(live: Mapping[str, Any], _around: Surroundings) -> Health:
    phase = text(live, "status", "phase")
    if phase == "Failed":
        return failed(text(live, "status", "message") or "could not be reclaimed", "VolumeFailed")
    return in_progress("being made available", "VolumePending") if phase == "Pending" else current(phase or "exists")


KIND_RULES: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Surroundings], Health]] = {
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Service"): _service,
    ("", "Namespace"): _namespace,
    ("", "PersistentVolume"): _volume,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _custom_resource_definition,
    ("policy", "PodDisruptionBudget"): _disruption_budget,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("apiregistration.k8s.io", "APIService"): _api_service,
}
