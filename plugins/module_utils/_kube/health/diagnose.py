# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Why an object does not come up: its pods, their last words, the events about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..change.live import Live, identity_of, uid_of
from ..fields import mapping, sequence, text
from ..port import Cluster
from ..resources import Collection
from ..selector import selector_of
from .causes import Cause, find_cause
from .trouble import Trouble, pod_trouble
from .workloads import parse_time

_LOG_LINES = 20
_EVENTS = 5
_FRESH = timedelta(seconds=60)

# Whoever makes pods for others; its events say why it cannot.
_MAKERS_OF_PODS = frozenset({"DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"})


@dataclass(frozen=True)
class _About:
    """Which object an event is about. A star at the end of the name stands for anything; an empty uid for any."""

    kind: str
    name: str
    uid: str = ""

    def fits(self, event: Live) -> bool:
        involved = mapping(event, "involvedObject")
        name = text(involved, "name")
        is_named = name.startswith(self.name[:-1]) if self.name.endswith("*") else name == self.name
        return text(involved, "kind") == self.kind and is_named and self.uid in ("", text(involved, "uid"))


@dataclass(frozen=True)
class Diagnosis:
    """What keeps an object from becoming ready."""

    sentence: str
    reason: str
    is_doomed: bool = False
    log: str = ""
    events: tuple[str, ...] = ()
    place: str = ""  # which image, on what kind of node
    stale: frozenset[str] = frozenset()  # events of a while ago: what they tell may be mended by now

    @property
    def doomed(self) -> bool:
        """Whether waiting longer cannot help: the trouble itself says so, or what log and events give away."""
        cause = find_cause([self.sentence, self.log, *(event for event in self.events if event not in self.stale)])
        return self.is_doomed or (cause is not None and cause.final)

    @property
    def advice(self) -> str:
        """The sentence, and what to do about it."""
        remedy = self._cause.sentence if self._cause else _REMEDIES.get(self.reason, "")
        return f"{self.sentence}; {remedy}" if remedy else self.sentence

    @property
    def full_text(self) -> str:
        """The advice, and what the pod and the events about it say."""
        place = f"\n{self.place}" if self.place else ""
        log = f"\nLast lines of its log:\n{self.log}" if self.log else ""
        events = "\nLast warnings:\n" + "\n".join(self.events) if self.events else ""
        return f"{self.advice}{place}{log}{events}"

    @property
    def _cause(self) -> Cause | None:
        return find_cause([self.sentence, self.log, *self.events])


_REMEDIES: Mapping[str, str] = {
    "ErrImagePull": "correct the image's name or tag (the option images replaces it), or publish that image",
    "ImagePullBackOff": "correct the image's name or tag (the option images replaces it), or publish that image",
    "InvalidImageName": "correct the image's name",
    "CreateContainerConfigError": "make what it refers to, or correct the reference",
    "OOMKilled": "raise the container's memory limit",
    "Unschedulable": "free a node, add one, or change what the pod asks for",
}


def diagnose(cluster: Cluster, live: Live, now: datetime | None) -> Diagnosis | None:
    """The worst trouble that can be seen about an object, None where there is none."""
    pods = _pods_of(cluster, live)
    troubles = [(pod, trouble) for pod in pods if (trouble := pod_trouble(pod, now)) is not None]
    if not troubles:
        return None if pods else _without_pods(cluster, live, now)
    pod, worst = max(troubles, key=lambda pair: pair[1].weight)
    events, stale = _warnings(cluster, text(pod, "metadata", "namespace"), _about_pod(pod), now)
    return Diagnosis(
        worst.sentence,
        worst.reason,
        worst.doomed,
        _log_of(cluster, pod, worst),
        events,
        _place_of(cluster, pod, worst),
        stale,
    )


def _pods_of(cluster: Cluster, live: Live) -> Sequence[Live]:
    if text(live, "kind") == "Pod":
        return [live]
    pods = cluster.catalogue().find("v1", "Pod")
    selector = _selector_text(live)
    if not selector or pods is None:
        return []
    found = cluster.list(Collection(pods, identity_of(live).namespace), selector=selector)
    # A pod that has failed is what is left of it: other kinds have made another one. A Job may have given up with it.
    return found if text(live, "kind") == "Job" else [pod for pod in found if text(pod, "status", "phase") != "Failed"]


def _selector_text(live: Live) -> str:
    """The selector of a workload in the words of a query; empty where it has none."""
    if text(live, "kind") == "Service":
        return ""  # its pods are some workload's pods
    return str(selector_of(mapping(live, "spec", "selector")))


def _without_pods(cluster: Cluster, live: Live, now: datetime | None) -> Diagnosis | None:
    """What the events say about an object itself, or about the one that should make its pods."""
    identity = identity_of(live)
    about = [_About(identity.kind, identity.name, uid_of(live))]
    if identity.kind == "Deployment":
        about.append(_About("ReplicaSet", f"{identity.name}-*"))
    warnings, stale = _warnings(cluster, identity.namespace, about, now)
    if not warnings:
        return None
    makes_pods = identity.kind in _MAKERS_OF_PODS
    sentence = f"{identity}: {'its pods cannot be made: ' if makes_pods else ''}{warnings[-1]}"
    is_old = warnings[-1] in stale
    return None if is_old else Diagnosis(sentence, warnings[-1].partition(":")[0], events=warnings, stale=stale)


def _log_of(cluster: Cluster, pod: Live, trouble: Trouble) -> str:
    if not trouble.container or trouble.exit_code is None:
        return ""  # a container that never ran has nothing to say
    return cluster.logs(
        text(pod, "metadata", "namespace"),
        text(pod, "metadata", "name"),
        trouble.container,
        previous=trouble.previous_log,
        lines=_LOG_LINES,
    ).strip()


def _place_of(cluster: Cluster, pod: Live, trouble: Trouble) -> str:
    """Which image on which node: its architecture and its kernel decide what can run there."""
    image = f"Image {trouble.image}" if trouble.image else ""
    name, nodes = text(pod, "spec", "nodeName"), cluster.catalogue().find("v1", "Node")
    node = cluster.get(nodes, "", name) if name and nodes else None
    if node is None:
        return image
    facts = mapping(node, "status", "nodeInfo")
    kernel = text(facts, "kernelVersion")
    pages = ", 16 KiB pages" if "16k" in kernel or "2712" in kernel else ""  # 2712: the kernel of a Raspberry Pi 5
    described = f"node {name} ({text(facts, 'architecture')}, kernel {kernel}{pages})"
    return f"{image} on {described}" if image else f"On {described}"


def _about_pod(pod: Live) -> list[_About]:
    """A pod and the claims that it waits for."""
    names = (text(each, "persistentVolumeClaim", "claimName") for each in sequence(pod, "spec", "volumes"))
    claims = [_About("PersistentVolumeClaim", name) for name in names if name]
    return [_About("Pod", text(pod, "metadata", "name"), uid_of(pod)), *claims]


def _warnings(
    cluster: Cluster, namespace: str, about: Sequence[_About], now: datetime | None
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The last warnings about some objects, and which of them are old.

    Events are kept for an hour, so that they can be about what was mended long ago.
    """
    events = cluster.catalogue().find("v1", "Event")
    if events is None:
        return (), frozenset()
    listed = cluster.list(Collection(events, namespace))
    found = [event for event in listed if text(event, "type") == "Warning" and any(each.fits(event) for each in about)]
    found.sort(key=_time_of)
    times = {f"{text(event, 'reason')}: {text(event, 'message').strip()}": _time_of(event) for event in found}
    last = sorted(times, key=lambda told: times[told])[-_EVENTS:]
    return tuple(last), frozenset(told for told in last if _is_old(times[told], now))


def _time_of(event: Live) -> str:
    return text(event, "lastTimestamp") or text(event, "eventTime")


def _is_old(stamp: str, now: datetime | None) -> bool:
    happened = parse_time(stamp)
    return now is not None and happened is not None and now - happened > _FRESH
