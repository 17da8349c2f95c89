# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The health of well-known custom resources that say it otherwise than by a condition Ready.

Each rule names the field that its operator documents. A kind without a rule here is judged by its condition Ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..fields import conditions, field, text
from .verdict import Health, Surroundings, current, failed, in_progress

_Rule = Callable[[Mapping[str, Any], Surroundings], Health]

_NOT_SEEN = in_progress("its controller has reported nothing yet", "NoStatus")


def _by_condition(name: str, *, false_is_final: bool = False) -> _Rule:
    """Judge by one condition that the operator always sets."""

    def rule(live: Mapping[str, Any], _around: Surroundings) -> Health:
        condition = conditions(live).get(name)
        if condition is None:
            return _NOT_SEEN
        reason = text(condition, "reason") or name
        message = text(condition, "message") or reason
        if text(condition, "status") == "True":
            return current(message, reason)
        final = false_is_final and text(condition, "status") == "False"
        return failed(message, reason) if final else in_progress(message, reason)

    return rule


def _by_phase(done: set[str], hopeless: set[str]) -> _Rule:
    """Judge by status.phase."""

    def rule(live: Mapping[str, Any], _around: Surroundings) -> Health:
        phase = text(live, "status", "phase")
        message = text(live, "status", "message") or f"in phase {phase}"
        if phase in done:
            return current(message, phase)
        if phase in hopeless:
            return failed(message, phase)
        return in_progress(message, phase) if phase else _NOT_SEEN

    return rule


def _postgres_cluster(live: Mapping[str, Any], _around: Surroundings) -> Health:
    phase, why = text(live, "status", "phase"), text(live, "status", "phaseReason")
    message = f"{phase}: {why}" if why else phase
    if phase == "Cluster in healthy state":
        return current(message, "Healthy")
    if "unrecoverable" in phase or phase == "Not enough disk space":
        return failed(message, "Phase")
    return in_progress(message, "Phase") if phase else _NOT_SEEN


def _longhorn_volume(live: Mapping[str, Any], _around: Surroundings) -> Health:
    robustness, state = text(live, "status", "robustness"), text(live, "status", "state")
    if robustness == "faulted":
        return failed("all replicas of the volume are lost or failed", "Faulted")
    if robustness == "degraded":
        return in_progress("some replicas of the volume are being rebuilt", "Degraded")
    if state in {"attached", "detached"}:
        return current(state)
    return in_progress(state or "being created", "Pending")


def _helm_chart(live: Mapping[str, Any], _around: Surroundings) -> Health:
    failure = conditions(live).get("Failed", {})
    if text(failure, "status") == "True":
        return failed(
            text(failure, "message") or "the chart could not be installed", text(failure, "reason") or "Failed"
        )
    if field(live, "status", "jobName") is None:
        return _NOT_SEEN
    return current(f"handed to Job {text(live, 'status', 'jobName')}")


CUSTOM_RULES: Mapping[tuple[str, str], _Rule] = {
    ("cert-manager.io", "Certificate"): _by_condition("Ready"),
    ("cert-manager.io", "Issuer"): _by_condition("Ready"),
    ("cert-manager.io", "ClusterIssuer"): _by_condition("Ready"),
    ("monitoring.coreos.com", "Prometheus"): _by_condition("Available"),
    ("monitoring.coreos.com", "PrometheusAgent"): _by_condition("Available"),
    ("monitoring.coreos.com", "Alertmanager"): _by_condition("Available"),
    ("monitoring.coreos.com", "ThanosRuler"): _by_condition("Available"),
    ("postgresql.cnpg.io", "Cluster"): _postgres_cluster,
    ("longhorn.io", "Volume"): _longhorn_volume,
    ("argoproj.io", "Workflow"): _by_phase({"Succeeded"}, {"Failed", "Error"}),
    ("tekton.dev", "TaskRun"): _by_condition("Succeeded", false_is_final=True),
    ("tekton.dev", "PipelineRun"): _by_condition("Succeeded", false_is_final=True),
    ("helm.cattle.io", "HelmChart"): _helm_chart,
}
