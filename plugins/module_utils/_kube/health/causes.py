# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the log of a container or the message of an event gives away, in a home cluster.

Each cause is a trace that only this cause leaves, and the sentence that says what it is and what mends it. A final one
does not pass by itself: somebody must change the image, the manifest or the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cause:
    """What keeps something from running, and what mends it."""

    sentence: str
    final: bool


_FINAL: Final[tuple[tuple[str, str], ...]] = (
    (
        r"<jemalloc>: Unsupported system page size",
        "the program cannot run on a kernel with 16 KiB pages, the default on a Raspberry Pi 5; "
        "boot the kernel with 4 KiB pages (kernel=kernel8.img in config.txt) or take an image without jemalloc",
    ),
    (
        r"exec format error|no match for platform|no matching manifest for linux",
        "the image is not built for the architecture of this node; take an image for it, or let the pod run elsewhere",
    ),
    (
        r"Illegal instruction",
        "the program uses instructions that this node's processor lacks; take an image that is built for older ones",
    ),
    (
        r"not found in \$PATH: iscsiadm|\"iscsiadm\": executable file not found|iscsiadm: (?:command )?not found"
        r"|make sure the iscsiadm/open-iscsi is installed|iscsid? (?:is not|not) (?:installed|running|found)",
        "the node lacks the iSCSI client; install open-iscsi on every node",
    ),
    (
        r"mount\.nfs: (?:command )?not found|\"mount\.nfs\": executable file not found"
        r"|need a /sbin/mount\.(?:nfs|<type>) helper",
        "the node lacks the NFS client; install nfs-common on every node",
    ),
    (
        r"storageclass\.storage\.k8s\.io \"[^\"]*\" not found",
        "there is no such StorageClass in this cluster; name another one, or install what brings it",
    ),
    (
        r"violates PodSecurity",
        "its namespace does not allow such pods; label the namespace pod-security.kubernetes.io/enforce=privileged",
    ),
)

_PASSING: Final[tuple[tuple[str, str], ...]] = (
    (
        r"/sys/kernel/btf/vmlinux|BTF (?:is required|not found)|failed to find (?:valid )?kernel BTF",
        "the kernel of this node has no type information (BTF), which eBPF programs need; boot a kernel that has it",
    ),
    (
        r"disk-pressure|DiskPressure|ephemeral-storage|no space left on device",
        "the node's disk is full; make room on it, for example with k3s crictl rmi --prune",
    ),
    (
        r"memory-pressure|MemoryPressure|The node was low on resource: memory",
        "the node's memory is used up; lower what its pods ask for, or move some of them",
    ),
    (
        r"inotify(?:_init\d?)?\b.*[Tt]oo many open files|[Tt]oo many open files.*inotify|inotify watch limit",
        "the node's limit of watched files is used up; raise fs.inotify.max_user_instances and max_user_watches",
    ),
    (
        r"didn't match Pod's node affinity/selector",
        "no node has the labels that the pod asks for; label a node, or change nodeSelector or affinity",
    ),
    (
        r"untolerated taint \{node-role\.kubernetes\.io/control-plane",
        "the servers take no ordinary pods and there is no other node; add an agent, or remove the servers' taint",
    ),
    (
        r"volume node affinity conflict",
        "its volume lies on a node that cannot take it now; bring that node back, or delete the claim with its data",
    ),
    (
        r"untolerated taint \{node\.kubernetes\.io/(?:unreachable|not-ready)",
        "a node is down or cut off; look at it, or at the network between",
    ),
    (
        r"were unschedulable",
        "nodes are closed for new pods (cordoned); open them with kubectl uncordon",
    ),
    (
        r"Insufficient (?:cpu|memory|ephemeral-storage)",
        "no node has that much left of what the pod asks for; lower resources.requests, or add a node",
    ),
    (
        r"didn't have free ports",
        "another pod has this port of every node; two pods cannot share a hostPort",
    ),
    (
        r"Multi-Attach error",
        "the volume is still with a node that is down; when that node is surely off, delete its VolumeAttachment",
    ),
    (
        r"certificate has expired or is not yet valid",
        "a certificate ran out, or the node's clock is wrong: without a battery a Raspberry Pi starts in the past",
    ),
    (
        r"failed calling webhook .* no endpoints available",
        "the webhook that must check this object has no running pod; look at the pods of its service",
    ),
)

_COMPILED: Final = (
    *((re.compile(pattern), Cause(sentence, final=True)) for pattern, sentence in _FINAL),
    *((re.compile(pattern), Cause(sentence, final=False)) for pattern, sentence in _PASSING),
)


def find_cause(texts: Iterable[str]) -> Cause | None:
    """Return what the texts give away: the first cause that any of them shows, the final ones first."""
    told = "\n".join(texts)
    return next((cause for pattern, cause in _COMPILED if pattern.search(told)), None)


def known_cause(texts: Iterable[str]) -> str:
    """Return the sentence of what the texts give away, or nothing."""
    cause = find_cause(texts)
    return cause.sentence if cause else ""
