# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The health of pods and of the kinds that run them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..fields import conditions, field, integer, mapping, sequence, text
from .verdict import Health, Status, Surroundings, current, failed, in_progress

# The scheduler may need a moment for a pod whose volume or node is being made.
SCHEDULING_PATIENCE = timedelta(seconds=15)

# The API server writes this deadline where the rollout of a Deployment shall have none.
_NO_DEADLINE = 2**31 - 1


def _too_few(have: int, want: int, word: str, reason: str) -> Health | None:
    return in_progress(f"{have} of {want} replicas are {word}", reason) if have < want else None


def _too_many(have: int, want: int) -> Health | None:
    return in_progress(f"{have - want} old replicas are still there", "ExtraPods") if have > want else None


def _deployment(live: Mapping[str, Any], _around: Surroundings) -> Health:
    progress = conditions(live).get("Progressing", {})
    if text(progress, "reason") == "ProgressDeadlineExceeded":
        return failed(text(progress, "message") or "the rollout exceeded its deadline", "ProgressDeadlineExceeded")
    if field(live, "spec", "paused") is True:
        return _paused_deployment(live)
    return _deployment_replicas(live) or _deployment_conditions(live) or current(_all_replicas(live))


def _paused_deployment(live: Mapping[str, Any]) -> Health:
    unfinished = _deployment_replicas(live)
    if unfinished is None:
        return current(_all_replicas(live))
    return in_progress(f"{unfinished.message}, and the rollout is paused (spec.paused)", "Paused")


def _deployment_replicas(live: Mapping[str, Any]) -> Health | None:
    want = integer(live, "spec", "replicas", default=1)
    status = mapping(live, "status")
    replicas, updated = integer(status, "replicas"), integer(status, "updatedReplicas")
    return (
        _too_few(replicas, want, "created", "LessReplicas")
        or _too_few(updated, want, "updated", "LessUpdated")
        or _too_many(replicas, want)
        or _too_few(integer(status, "availableReplicas"), updated, "available", "LessAvailable")
        or _too_few(integer(status, "readyReplicas"), want, "ready", "LessReady")
    )


def _deployment_conditions(live: Mapping[str, Any]) -> Health | None:
    found = conditions(live)
    progress = found.get("Progressing", {})
    has_deadline = integer(live, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE) not in (0, _NO_DEADLINE)
    if has_deadline and (text(progress, "status"), text(progress, "reason")) != ("True", "NewReplicaSetAvailable"):
        return in_progress("the new ReplicaSet is not available yet", "ReplicaSetNotAvailable")
    if text(found, "Available", "status") != "True":
        return in_progress("not available yet", "DeploymentNotAvailable")
    return None


def _all_replicas(live: Mapping[str, Any]) -> str:
    return f"{integer(live, 'spec', 'replicas', default=1)} replicas are ready"


def _stateful_set(live: Mapping[str, Any], _around: Surroundings) -> Health:
    by_hand = text(live, "spec", "updateStrategy", "type") == "OnDelete"
    want = integer(live, "spec", "replicas", default=1)
    status = mapping(live, "status")
    replicas = integer(status, "replicas")
    return (
        _too_few(replicas, want, "created", "LessReplicas")
        or _too_few(integer(status, "readyReplicas"), want, "ready", "LessReady")
        or _too_many(replicas, want)
        or (None if by_hand else _stateful_set_update(live, want))
        or current(_all_replicas(live))
    )


def _stateful_set_update(live: Mapping[str, Any], want: int) -> Health | None:
    status = mapping(live, "status")
    partition = field(live, "spec", "updateStrategy", "rollingUpdate", "partition")
    if isinstance(partition, int):
        return _too_few(integer(status, "updatedReplicas"), want - partition, "updated", "PartitionRollout")
    behind = _too_few(integer(status, "currentReplicas"), want, "of the current revision", "LessCurrent")
    if behind is None and field(status, "currentRevision") != field(status, "updateRevision"):
        return in_progress("pods of the old revision are still there", "RevisionMismatch")
    return behind


def _daemon_set(live: Mapping[str, Any], _around: Surroundings) -> Health:
    status = mapping(live, "status")
    if field(status, "observedGeneration") is None:
        return in_progress("its controller has not seen it yet", "NoObservedGeneration")
    if field(status, "desiredNumberScheduled") is None:
        return in_progress("the number of nodes for it is not known yet", "NoDesiredNumber")
    want = integer(status, "desiredNumberScheduled")
    if want == 0:
        return Health(Status.CURRENT, "no node matches its node selector, so it runs nowhere", "NoNodes", warning=True)
    by_hand = text(live, "spec", "updateStrategy", "type") == "OnDelete"
    updated = want if by_hand else integer(status, "updatedNumberScheduled")
    return (
        _too_few(integer(status, "currentNumberScheduled"), want, "created", "LessCurrent")
        or _too_few(updated, want, "updated", "LessUpdated")
        or _too_few(integer(status, "numberAvailable"), want, "available", "LessAvailable")
        or _too_few(integer(status, "numberReady"), want, "ready", "LessReady")
        or current(f"ready on {want} nodes")
    )


def _replica_set(live: Mapping[str, Any], _around: Surroundings) -> Health:
    failure = conditions(live).get("ReplicaFailure", {})
    if text(failure, "status") == "True":
        return in_progress(text(failure, "message") or "its pods cannot be created", "ReplicaFailure")
    want = integer(live, "spec", "replicas", default=1)
    status = mapping(live, "status")
    return (
        _too_few(integer(status, "fullyLabeledReplicas"), want, "labelled", "LessLabelled")
        or _too_few(integer(status, "availableReplicas"), want, "available", "LessAvailable")
        or _too_few(integer(status, "readyReplicas"), want, "ready", "LessReady")
        or _too_many(integer(status, "replicas"), want)
        or current(_all_replicas(live))
    )


def _pod(live: Mapping[str, Any], around: Surroundings) -> Health:
    phase = text(live, "status", "phase")
    message = text(live, "status", "message")
    if phase == "Succeeded":
        return current("completed")
    if phase == "Failed":
        return failed(message or "its containers ended with an error", text(live, "status", "reason") or "PodFailed")
    if phase == "Running":
        return _running_pod(live)
    if phase == "Pending":
        return _pending_pod(live, around)
    if not phase:
        return in_progress("no node has taken it yet", "PodNotObserved")
    return Health(Status.UNKNOWN, message or f"in phase {phase}", "PodPhase")


def _running_pod(live: Mapping[str, Any]) -> Health:
    if text(conditions(live), "Ready", "status") == "True":
        return current("ready")
    crashing = [text(one, "name") for one in sequence(live, "status", "containerStatuses") if _is_crash_looping(one)]
    if crashing:
        return failed(f"container {', '.join(crashing)} crashes again and again", "ContainerCrashLooping")
    return in_progress(text(conditions(live), "Ready", "message") or "running, not ready yet", "PodRunningNotReady")


def _is_crash_looping(container_status: Any) -> bool:
    return text(container_status, "state", "waiting", "reason") == "CrashLoopBackOff"


def _pending_pod(live: Mapping[str, Any], around: Surroundings) -> Health:
    scheduled = conditions(live).get("PodScheduled", {})
    if text(scheduled, "status") != "False" or text(scheduled, "reason") != "Unschedulable":
        return in_progress("its containers are being made", "PodPending")
    message = text(scheduled, "message") or "no node can take it"
    if _is_young(live, around.now):
        return in_progress(message, "PodNotScheduled")
    return failed(message, "PodUnschedulable")


def _is_young(live: Mapping[str, Any], now: datetime | None) -> bool:
    created = parse_time(text(live, "metadata", "creationTimestamp"))
    if created is None:
        return False
    return now is None or now - created < SCHEDULING_PATIENCE


def parse_time(stamp: str) -> datetime | None:
    """Read a time as the API server writes it, always with a zone."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _job(live: Mapping[str, Any], _around: Surroundings) -> Health:
    found = conditions(live)
    if text(found, "Failed", "status") == "True":
        reason = text(found, "Failed", "reason") or "JobFailed"
        return failed(text(found, "Failed", "message") or "the Job failed", reason)
    if text(found, "Complete", "status") == "True":
        return current("completed")
    if field(live, "spec", "suspend") is True:
        return _suspended_job(found)
    if field(live, "status", "startTime") is None:
        return in_progress("not started yet", "JobNotStarted")
    done, want = integer(live, "status", "succeeded"), integer(live, "spec", "completions", default=1)
    return in_progress(f"{done} of {want} completions, {integer(live, 'status', 'active')} pods active", "JobRunning")


def _suspended_job(found: Mapping[str, Any]) -> Health:
    if text(found, "Suspended", "status") == "True":
        return current("suspended (spec.suspend)", "JobSuspended")
    return in_progress("being suspended", "JobSuspending")


def _cron_job(_live: Mapping[str, Any], _around: Surroundings) -> Health:
    return current("scheduled")


WORKLOAD_RULES: Mapping[tuple[str, str], Callable[[Mapping[str, Any], Surroundings], Health]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "ReplicationController"): _replica_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cron_job,
}
