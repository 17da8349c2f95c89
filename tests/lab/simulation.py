# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bare API server simulates: nodes, the lives of pods on them, addresses for Services, volumes.

No image is fetched and nothing runs; kwok writes the status that a kubelet would write. A pod is Ready at once, a pod
of a Job then ends well. A test chooses another fate by the image, ``lab.invalid/<fate>``; a real node could not fetch
it either, for ``.invalid`` never resolves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

FATE_REGISTRY = "lab.invalid"
VOLUMES = 32


@dataclass(frozen=True)
class Fate:
    """What becomes of a pod. ``state`` (and ``last_state``) are those of its containers, as templates."""

    phase: str
    state: str
    ready: bool = False
    started: bool = False
    restarts: int = 0
    last_state: str = ""
    reason: str = "ContainersNotReady"
    event: tuple[str, str] | None = None
    delay_ms: int = 0


_RUNNING = "{running: {startedAt: {{ $now | Quote }}}}"
_ENDED = "{terminated: {exitCode: %d, reason: %s, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}"
_NOT_PULLED = (
    '{waiting: {reason: ImagePullBackOff, message: {{ printf "Back-off pulling image %q: ErrImagePull:'
    ' failed to resolve reference %q: no such host" .image .image | Quote }}}}'
)
_READY = Fate("Running", _RUNNING, ready=True, started=True)
_COMPLETED = Fate("Succeeded", _ENDED % (0, "Completed"), reason="PodCompleted")

FATES = {
    "slow": Fate("Running", _RUNNING, ready=True, started=True, delay_ms=3000),
    "missing": Fate("Pending", _NOT_PULLED, event=("Failed", "Error: ErrImagePull")),
    "crashing": Fate(
        "Running",
        "{waiting: {reason: CrashLoopBackOff, message: back-off 2m40s restarting failed container}}",
        restarts=5,
        last_state=_ENDED % (1, "Error"),
        event=("BackOff", "Back-off restarting failed container"),
    ),
    "unready": Fate(
        "Running",
        _RUNNING,
        started=True,
        event=("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
    ),
    "failing": Fate("Failed", _ENDED % (1, "Error"), reason="PodFailed"),
}

_FATE_OF_IMAGE = f'.spec.containers[].image | select(startswith("{FATE_REGISTRY}/")) | split("/")[1] | split(":")[0]'
_ADDRESS = (
    '{{ PodIPWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") (or .metadata.name "")'
    ' (or .metadata.namespace "") | Quote }}'
)


def stages() -> str:
    """kwok's configuration: how each kind of object moves on. Nodes need none, kwok's own keep them Ready."""
    unborn = [_matches(".status.startTime", "DoesNotExist")]
    pods = [_pod_stage("pod-ready", _READY, [*unborn, _matches(_FATE_OF_IMAGE, "DoesNotExist")])]
    pods += [
        _pod_stage(f"pod-{name}", fate, [*unborn, _matches(_FATE_OF_IMAGE, "In", name)]) for name, fate in FATES.items()
    ]
    finished = [
        _matches(".status.phase", "In", "Running"),
        _matches(".metadata.ownerReferences.[].kind", "In", "Job"),
        _matches(_FATE_OF_IMAGE, "DoesNotExist"),
    ]
    documents = [*pods, _pod_stage("pod-complete", _COMPLETED, finished), _pod_deletion(), _service_address()]
    return "\n---\n".join(json.dumps(document, indent=1) for document in documents) + "\n"


def objects(nodes: int) -> str:
    """The nodes, k3s' storage class, and volumes that claims of that class bind to: nothing provisions them here."""
    items = [_node(f"simulated-{number}") for number in range(1, nodes + 1)]
    items += [_storage_class(), *(_volume(number) for number in range(1, VOLUMES + 1))]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _matches(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def _stage(
    name: str, kind: str, matches: list[dict[str, Any]], after: dict[str, Any], delay_ms: int = 0
) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": matches},
            "delay": {"durationMilliseconds": delay_ms},
            "next": after,
        },
    }


def _pod_stage(name: str, fate: Fate, matches: list[dict[str, Any]]) -> dict[str, Any]:
    after: dict[str, Any] = {"statusTemplate": _pod_status(fate)}
    if fate.event:
        after["event"] = {"type": "Warning", "reason": fate.event[0], "message": fate.event[1]}
    living = _matches(".metadata.deletionTimestamp", "DoesNotExist")
    return _stage(name, "Pod", [living, *matches], after, fate.delay_ms)


def _pod_status(fate: Fate) -> str:
    """The status as kwok's template: YAML with Go's template actions in it."""
    readiness = 'status: "True"' if fate.ready else f'status: "False", reason: {fate.reason}'
    last_state = f"\n  lastState: {fate.last_state}" if fate.last_state else ""
    return f"""\
{{{{ $now := Now }}}}
phase: {fate.phase}
startTime: {{{{ or .status.startTime $now | Quote }}}}
hostIP: {{{{ NodeIPWith .spec.nodeName | Quote }}}}
podIP: {_ADDRESS}
conditions:
- {{type: Initialized, status: "True", lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: ContainersReady, {readiness}, lastTransitionTime: {{{{ $now | Quote }}}}}}
- {{type: Ready, {readiness}, lastTransitionTime: {{{{ $now | Quote }}}}}}
{{{{ range .spec.readinessGates }}}}
- {{type: {{{{ .conditionType | Quote }}}}, status: "True", lastTransitionTime: {{{{ $now | Quote }}}}}}
{{{{ end }}}}
initContainerStatuses:
{{{{ range .spec.initContainers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: true
  restartCount: 0
{{{{ if eq (or .restartPolicy "") "Always" }}}}
  started: true
  state: {_RUNNING}
{{{{ else }}}}
  state: {_ENDED % (0, "Completed")}
{{{{ end }}}}
{{{{ end }}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: {str(fate.ready).lower()}
  started: {str(fate.started).lower()}
  restartCount: {fate.restarts}
  state: {fate.state}{last_state}
{{{{ end }}}}
"""


def _pod_deletion() -> dict[str, Any]:
    # The grace period ends at once: nothing runs that would want it.
    return _stage("pod-delete", "Pod", [_matches(".metadata.deletionTimestamp", "Exists")], {"delete": True})


def _service_address() -> dict[str, Any]:
    """A LoadBalancer gets an address of a documentation network; one with a class of its own waits for ever."""
    matches = [
        _matches(".metadata.deletionTimestamp", "DoesNotExist"),
        _matches(".spec.type", "In", "LoadBalancer"),
        _matches(".spec.loadBalancerClass", "DoesNotExist"),
        _matches(".status.loadBalancer.ingress", "DoesNotExist"),
    ]
    status = 'loadBalancer: {ingress: [{ip: "192.0.2.1", ipMode: VIP}]}'
    return _stage("service-address", "Service", matches, {"statusTemplate": status})


def _node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": room, "capacity": room},
    }


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local-path", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
    }


def _volume(number: int) -> dict[str, Any]:
    name = f"simulated-{number}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local-path",
            "hostPath": {"path": f"/var/lib/simulated/{name}"},
        },
    }
