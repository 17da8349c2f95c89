# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What becomes of every pod of a node that is drained, and what stands in the way.

The plan is a value made of lists of objects; check mode, the refusal, the eviction and the answer all read it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from .._kube.change.live import Live, uid_of
from .._kube.fields import field as field_of
from .._kube.fields import mapping, sequence, text
from .budget import budgets_over, why_never
from .node import name_of
from .placement import Volume, has_ended
from .spread import why_nowhere

_MIRROR = "kubernetes.io/config.mirror"

# What pods take from every machine alike, and what is no data of theirs.
_OF_THE_SYSTEM = (
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sys",
    "/usr",
    "/var/lib/kubelet",
    "/var/log",
    "/var/run",
)


class Fate(StrEnum):
    """What is done with a pod."""

    EVICT = "evict"
    DELETE = "delete"  # without asking its budget, which would never agree
    LEAVE = "leave"
    GOING = "going"  # it is ending already, and only waited for


@dataclass(frozen=True)
class Policy:
    """What is done with each class of pods; `refuse` is to change nothing while there is one of that class."""

    daemon_sets: str = "leave"
    finished_pods: str = "leave"
    unmanaged_pods: str = "refuse"
    empty_dirs: str = "evict"
    immovable_pods: str = "refuse"
    forbidding_budgets: str = "refuse"
    moving_claims: Collection[str] = ()  # the volumes of these are moved while the node is empty, and pin no pod


@dataclass(frozen=True)
class Objection:
    """Something about a pod that speaks against evicting it, and the option that decides about it."""

    option: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What is done with one pod, and what there is to say about that."""

    pod: Live
    fate: Fate
    reason: str = ""
    refused: tuple[Objection, ...] = ()
    returns: bool = True

    @property
    def name(self) -> str:
        return pod_name(self.pod)

    @property
    def must_move(self) -> bool:
        """Whether the node is not drained as long as this pod is there."""
        return bool(self.refused) or self.fate in (Fate.EVICT, Fate.DELETE)


@dataclass(frozen=True)
class DrainPlan:
    """Every pod of the node, and what becomes of it."""

    node: str
    verdicts: tuple[Verdict, ...] = ()

    def of(self, *fates: Fate) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.fate in fates]

    @property
    def refused(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.refused]

    @property
    def leaving(self) -> list[Verdict]:
        """What must be gone before the node is empty."""
        return self.of(Fate.EVICT, Fate.DELETE, Fate.GOING)


@dataclass(frozen=True)
class Sight:
    """What the cluster holds, as far as it matters to a drain."""

    nodes: Sequence[Live]
    pods: Sequence[Live]
    budgets: Sequence[Live] = ()
    claims: Sequence[Live] = ()
    volumes: Sequence[Live] = field(default=())

    def volumes_of(self, pod: Live) -> list[Volume]:
        """The volumes that a pod has claimed; a claim that is not bound yet pins nothing."""
        namespace = text(pod, "metadata", "namespace")
        names = (self._volume_of_claim.get((namespace, claim), "") for claim in claims_of(pod))
        return [
            Volume(f"{namespace}/{claim}", self._volumes[name])
            for claim, name in zip(claims_of(pod), names, strict=True)
            if name in self._volumes
        ]

    @cached_property
    def _volume_of_claim(self) -> Mapping[tuple[str, str], str]:
        return {
            (text(each, "metadata", "namespace"), name_of(each)): text(each, "spec", "volumeName")
            for each in self.claims
        }

    @cached_property
    def _volumes(self) -> Mapping[str, Live]:
        return {name_of(each): each for each in self.volumes}


def plan_drain(node: str, sight: Sight, policy: Policy) -> DrainPlan:
    """Decide about every pod of a node, in the order of their names."""
    here = sorted((pod for pod in sight.pods if text(pod, "spec", "nodeName") == node), key=pod_name)
    first_pass = [_verdict(pod, sight, policy) for pod in here]
    # One that must run beside a pod which stays finds it nowhere else.
    staying = {uid_of(each.pod) for each in first_pass if each.fate is Fate.LEAVE and not each.refused}
    return DrainPlan(node, tuple(_verdict(pod, sight, policy, staying) for pod in here))


def counted(things: Sequence[Any], word: str) -> str:
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def pod_name(pod: Live) -> str:
    return f"{text(pod, 'metadata', 'namespace')}/{name_of(pod)}"


def controller_of(live: Live) -> Mapping[str, Any] | None:
    """The reference to what made an object and would make another one of it, None where nothing would."""
    owners = sequence(live, "metadata", "ownerReferences")
    return next((owner for owner in owners if field_of(owner, "controller") is True), None)


def _verdict(pod: Live, sight: Sight, policy: Policy, staying: Set[str] = frozenset()) -> Verdict:
    owner = controller_of(pod)
    if _MIRROR in mapping(pod, "metadata", "annotations"):
        return Verdict(pod, Fate.LEAVE, "static pod, the kubelet runs it from a file of the machine")
    if text(owner, "kind") == "DaemonSet":
        return _by_word(
            pod, policy, [Objection("daemon_sets", f"DaemonSet {text(owner, 'name')} runs it on every node")]
        )
    if text(pod, "metadata", "deletionTimestamp"):
        return Verdict(pod, Fate.GOING, "ending already")
    if has_ended(pod):
        return _by_word(pod, policy, [Objection("finished_pods", "it has ended")])
    volumes = sight.volumes_of(pod)
    pinning = [each for each in volumes if each.claim not in policy.moving_claims]
    verdict = _by_word(pod, policy, list(_objections(pod, sight, pinning, staying)))
    if len(pinning) == len(volumes) or verdict.fate is Fate.LEAVE:
        return verdict
    moving = " and ".join(f"volume {each}" for each in volumes if each not in pinning)
    return replace(verdict, reason="; ".join(filter(None, (verdict.reason, f"waits for {moving}"))), returns=False)


def _objections(pod: Live, sight: Sight, volumes: Sequence[Volume], staying: Set[str]) -> Iterator[Objection]:
    if controller_of(pod) is None:
        yield Objection("unmanaged_pods", "no controller would make it again elsewhere")
    scratch = [text(volume, "name") for volume in sequence(pod, "spec", "volumes") if "emptyDir" in volume]
    if scratch:
        yield Objection("empty_dirs", f"what it keeps in emptyDir {', '.join(scratch)} is lost")
    nowhere = why_nowhere(pod, sight.nodes, volumes, sight.pods, staying)
    if nowhere:
        yield Objection("immovable_pods", nowhere)
    never = why_never(pod, budgets_over(pod, sight.budgets))
    if never and text(pod, "status", "phase") != "Pending":  # one that does not run yet may always go
        yield Objection("forbidding_budgets", never)


def _by_word(pod: Live, policy: Policy, objections: Sequence[Objection]) -> Verdict:
    """Weigh all that speaks against evicting a pod; the strictest word counts."""
    words = [(str(getattr(policy, each.option)), each) for each in objections]
    reason = "; ".join(each.reason for each in objections)
    refused = tuple(each for word, each in words if word == "refuse")
    if refused or any(word == "leave" for word, _each in words):
        return Verdict(pod, Fate.LEAVE, reason, refused)
    overridden = any(word == "delete" for word, _each in words)
    lasting = {"unmanaged_pods", "immovable_pods", "finished_pods"}
    returns = not any(each.option in lasting for each in objections)
    told = "; ".join(filter(None, (reason, *_notes(pod))))
    return Verdict(pod, Fate.DELETE if overridden else Fate.EVICT, told, returns=returns)


def _notes(pod: Live) -> Iterator[str]:
    """What to know about a pod that goes, though nothing need be decided about it."""
    if text(controller_of(pod), "kind") == "Job":
        yield "its Job begins anew"
    paths = [text(volume, "hostPath", "path") for volume in sequence(pod, "spec", "volumes")]
    data = [path for path in paths if path and not path.startswith(_OF_THE_SYSTEM)]
    if data:
        yield f"{', '.join(data)} of this machine does not move with it"


def claims_of(pod: Live) -> list[str]:
    found = []
    for volume in sequence(pod, "spec", "volumes"):
        claim = text(volume, "persistentVolumeClaim", "claimName")
        if claim:
            found.append(claim)
        elif "ephemeral" in volume:
            found.append(f"{name_of(pod)}-{text(volume, 'name')}")
    return found


_WAYS_OUT: Mapping[str, str] = {
    "daemon_sets": "leave lets it run",
    "finished_pods": "evict removes it, leave keeps it",
    "unmanaged_pods": "evict deletes it for good, leave lets it run",
    "empty_dirs": "evict loses it, leave lets the pod run",
    "immovable_pods": "evict stops it until a node can take it, leave lets it run; playbook evacuate moves volumes of"
    " local-path with -e move_volumes=true",
    "forbidding_budgets": "delete deletes the pod without asking the budget, leave lets it run",
}


def refusal_text(plan: DrainPlan) -> str:
    """Everything that stands in the way, each with its way out."""
    lines = [
        f"- pod {verdict.name}: {each.reason} ({each.option}: {_WAYS_OUT[each.option]})"
        for verdict in plan.refused
        for each in verdict.refused
    ]
    stand = "stand" if len(plan.refused) > 1 else "stands"
    return f"Node {plan.node} cannot be drained, {counted(plan.refused, 'pod')} {stand} in the way:\n" + "\n".join(
        lines
    )


def foretold(plan: DrainPlan, report: Callable[[str], None]) -> None:
    """Say before it starts what a drain will do."""
    moving, staying = plan.leaving, plan.of(Fate.LEAVE)
    report(f"node {plan.node}: {counted(moving, 'pod')} to move, {len(staying)} to stay")
    for verdicts, verb in ((moving, "goes"), (staying, "stays")):
        for verdict in verdicts:
            report(f"node {plan.node}: pod {verdict.name} {verb}" + (f"; {verdict.reason}" if verdict.reason else ""))
