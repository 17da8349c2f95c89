# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Why a pod does not run, in the sentence that a person needs.

A trouble is *doomed* when waiting longer cannot help: somebody must change the manifest, the image or the machine.
Troubles that often pass by themselves (one crash while a database starts, a registry that does not answer) are told,
not doomed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..fields import conditions, field, integer, mapping, sequence, text
from .workloads import SCHEDULING_PATIENCE, parse_time

# One crash can be a race with something that starts at the same time; the second is a habit.
_RESTARTS_TO_DOOM = 2

_EXIT_CODES = {
    126: "the command is not executable",
    127: "the command was not found in the image",
    132: "illegal instruction: the program needs a newer processor",
    134: "the program aborted itself",
    135: "bus error: often a program built for another page size than the kernel's",
    137: "killed, by the memory limit or by the kubelet",
    139: "segmentation fault",
    143: "asked to end, often by a failing liveness probe",
}

_IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
_START_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ContainerCannotRun", "StartError"}
)

# Nothing went wrong yet: the container is being made, or does not answer its probe.
_STILL_COMING = frozenset({"ContainerCreating", "PodInitializing", "NotReady"})

# What a registry or the container runtime says, and what it means. The first match speaks.
_IMAGE_CAUSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"no match for platform|no matching manifest", re.I),
        "the image is not built for this node's architecture",
    ),
    (re.compile(r"x509|certificate", re.I), "the registry's certificate is not trusted"),
    (re.compile(r"toomanyrequests|rate limit|429", re.I), "the registry limits the number of pulls"),
    (
        re.compile(r"unauthorized|denied|forbidden|401|403", re.I),
        "the registry refuses access, or the image does not exist",
    ),
    (re.compile(r"not found|manifest unknown|404", re.I), "the registry has no such image"),
    (
        re.compile(r"no such host|i/o timeout|connection refused|network is unreachable", re.I),
        "the registry cannot be reached",
    ),
    (re.compile(r"no space left", re.I), "the node's disk is full"),
)
_PASSING_CAUSES = frozenset(
    {
        "the registry limits the number of pulls",
        "the registry cannot be reached",
        "the registry's certificate is not trusted",
    }
)


@dataclass(frozen=True)
class Trouble:
    """One thing that keeps a pod from running."""

    pod: str
    reason: str
    sentence: str
    doomed: bool
    container: str = ""
    image: str = ""
    restarts: int = 0
    exit_code: int | None = None
    previous_log: bool = False  # the log that tells more is that of the container's last life

    @property
    def weight(self) -> int:
        """What a person should hear of first: what cannot pass, what went wrong, what only takes its time."""
        return 2 if self.doomed else 0 if self.reason in _STILL_COMING else 1


def pod_trouble(pod: Mapping[str, Any], now: datetime | None = None) -> Trouble | None:
    """Return the worst trouble of a pod, None where it has none that can be seen."""
    troubles = list(_troubles(pod, now))
    return max(troubles, key=lambda trouble: trouble.weight, default=None)


def _troubles(pod: Mapping[str, Any], now: datetime | None) -> Iterator[Trouble]:
    yield from filter(None, (_of_pod(pod), _of_scheduling(pod, now)))
    for list_name in ("initContainerStatuses", "containerStatuses"):
        for status in sequence(pod, "status", list_name):
            trouble = _of_container(pod, mapping(status))
            if trouble is not None:
                yield trouble


def _name(pod: Mapping[str, Any]) -> str:
    namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
    return f"{namespace}/{name}" if namespace else name


def _of_pod(pod: Mapping[str, Any]) -> Trouble | None:
    reason = text(pod, "status", "reason")
    if text(pod, "status", "phase") != "Failed" or not reason:
        return None
    message = text(pod, "status", "message") or "no message"
    # An evicted pod is replaced by its controller, so the eviction alone dooms nothing.
    return Trouble(_name(pod), reason, f"pod {_name(pod)} was ended by the kubelet: {reason}: {message}", doomed=False)


def _of_scheduling(pod: Mapping[str, Any], now: datetime | None) -> Trouble | None:
    scheduled = conditions(pod).get("PodScheduled", {})
    if text(scheduled, "status") != "False" or text(scheduled, "reason") != "Unschedulable":
        return None
    message = text(scheduled, "message") or "the scheduler gives no reason"
    sentence = f"no node can take pod {_name(pod)}: {message}"
    since = parse_time(text(scheduled, "lastTransitionTime") or text(pod, "metadata", "creationTimestamp"))
    lasting = now is not None and since is not None and now - since >= SCHEDULING_PATIENCE
    waits_for_volume = "unbound immediate PersistentVolumeClaims" in message
    return Trouble(_name(pod), "Unschedulable", sentence, doomed=lasting and not waits_for_volume)


def _of_container(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Trouble | None:
    waiting = text(status, "state", "waiting", "reason")
    if waiting in _IMAGE_REASONS:
        return _image_trouble(pod, status, waiting)
    if waiting in _START_REASONS:
        return _start_trouble(pod, status, waiting)
    if waiting == "CrashLoopBackOff":
        return _crash_trouble(pod, status, mapping(status, "lastState", "terminated"))
    ended = mapping(status, "state", "terminated")
    if ended and integer(ended, "exitCode") != 0:
        return _crash_trouble(pod, status, ended)
    return _not_there_yet(pod, status, waiting)


def _not_there_yet(pod: Mapping[str, Any], status: Mapping[str, Any], waiting: str) -> Trouble | None:
    """A container that is slow to come; the events about its pod say why."""
    whose = f"container {text(status, 'name')} of pod {_name(pod)}"
    if waiting in _STILL_COMING and text(pod, "spec", "nodeName"):
        said = text(status, "state", "waiting", "message")
        return _trouble(pod, status, waiting, f"{whose} is being made" + (f": {said}" if said else ""), doomed=False)
    if "running" in mapping(status, "state") and field(status, "ready") is False and not _is_init(pod, status):
        return _trouble(pod, status, "NotReady", f"{whose} runs and is not ready", doomed=False)
    return None


def _is_init(pod: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    return any(text(each, "name") == text(status, "name") for each in sequence(pod, "spec", "initContainers"))


def _image_trouble(pod: Mapping[str, Any], status: Mapping[str, Any], reason: str) -> Trouble:
    message, image = text(status, "state", "waiting", "message"), text(status, "image")
    cause = next((meaning for pattern, meaning in _IMAGE_CAUSES if pattern.search(message)), "")
    explained = f"{cause} ({message})" if cause and message else cause or message or reason
    final = reason in {"InvalidImageName", "ErrImageNeverPull"} or (bool(cause) and cause not in _PASSING_CAUSES)
    verb = "has the invalid image name" if reason == "InvalidImageName" else "cannot get its image"
    sentence = f"container {text(status, 'name')} of pod {_name(pod)} {verb} {image}: {explained}"
    return _trouble(pod, status, reason, sentence, doomed=final)


def _start_trouble(pod: Mapping[str, Any], status: Mapping[str, Any], reason: str) -> Trouble:
    message = text(status, "state", "waiting", "message") or reason
    # The kubelet's caches of ConfigMaps and Secrets lag behind right after they were created.
    passing = re.search(r"failed to sync .* cache", message) is not None
    sentence = f"container {text(status, 'name')} of pod {_name(pod)} cannot be started: {message}"
    return _trouble(pod, status, reason, sentence, doomed=not passing)


def _crash_trouble(pod: Mapping[str, Any], status: Mapping[str, Any], ended: Mapping[str, Any]) -> Trouble:
    restarts, code = integer(status, "restartCount"), integer(ended, "exitCode")
    reason = text(ended, "reason") or "CrashLoopBackOff"
    sentence = (
        f"container {text(status, 'name')} of pod {_name(pod)} crashes: "
        f"{_how_it_ended(pod, status, ended)}, {restarts} {'restart' if restarts == 1 else 'restarts'} so far"
    )
    is_last_word = text(pod, "spec", "restartPolicy") == "Never"
    return _trouble(
        pod,
        status,
        "OOMKilled" if reason == "OOMKilled" else "CrashLoopBackOff" if restarts else reason,
        sentence,
        doomed=restarts >= _RESTARTS_TO_DOOM or is_last_word or _is_wrong_architecture(ended),
        exit_code=code if ended else None,
        previous_log="waiting" in mapping(status, "state"),
    )


def _how_it_ended(pod: Mapping[str, Any], status: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    if text(ended, "reason") == "OOMKilled":
        return f"it needs more memory than its limit of {_memory_limit(pod, text(status, 'name'))}"
    if _is_wrong_architecture(ended):
        return "exec format error: the image is built for another architecture than the node's"
    if not ended:
        return "its exit code is not known yet"
    code = integer(ended, "exitCode")
    meaning = _EXIT_CODES.get(code)
    message = text(ended, "message").strip()
    return f"exit code {code}" + (f" ({meaning})" if meaning else "") + (f": {message}" if message else "")


def _is_wrong_architecture(ended: Mapping[str, Any]) -> bool:
    return "exec format error" in text(ended, "message")


def _memory_limit(pod: Mapping[str, Any], container: str) -> str:
    for list_name in ("containers", "initContainers"):
        for spec in sequence(pod, "spec", list_name):
            if text(spec, "name") == container:
                return text(spec, "resources", "limits", "memory") or "none (the node itself is full)"
    return "unknown size"


def _trouble(
    pod: Mapping[str, Any],
    status: Mapping[str, Any],
    reason: str,
    sentence: str,
    *,
    doomed: bool,
    exit_code: int | None = None,
    previous_log: bool = False,
) -> Trouble:
    return Trouble(
        pod=_name(pod),
        reason=reason,
        sentence=sentence,
        doomed=doomed,
        container=text(status, "name"),
        image=text(status, "image"),
        restarts=integer(status, "restartCount"),
        exit_code=exit_code,
        previous_log=previous_log,
    )
