# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.causes import known_cause
from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.diagnose import Diagnosis


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<jemalloc>: Unsupported system page size\nmalloc failed", "16 KiB pages"),
        ("exec /usr/bin/web: exec format error", "architecture"),
        ("Illegal instruction (core dumped)", "processor"),
        ('FailedMount: exec: "mount.nfs": executable file not found in $PATH', "nfs-common"),
        ("Please make sure the iscsiadm/open-iscsi is installed on the host", "open-iscsi"),
        ('storageclass.storage.k8s.io "ssd" not found', "no such StorageClass"),
        ("1 node(s) had volume node affinity conflict.", "bring that node back"),
        ("1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }", "down or cut off"),
        ("0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.", "uncordon"),
        ("0/3 nodes are available: 3 Insufficient memory.", "lower resources.requests"),
        ("1 node(s) didn't have free ports for the requested pod ports.", "hostPort"),
        ("Multi-Attach error for volume pvc-1", "VolumeAttachment"),
        ("tls: failed to verify certificate: x509: certificate has expired or is not yet valid", "clock"),
        ("libbpf: open /sys/kernel/btf/vmlinux: no such file or directory", "BTF"),
        ("MountVolume.MountDevice failed: executable file not found in $PATH: iscsiadm", "open-iscsi"),
        ("bad option; you might need a /sbin/mount.<type> helper program.", "nfs-common"),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }",
            "disk is full",
        ),
        ("The node was low on resource: memory. Threshold quantity: 100Mi", "memory is used up"),
        ("failed to create fsnotify watcher: inotify_init1: too many open files", "fs.inotify"),
        ("0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.", "labels"),
        ("1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: true}", "add an agent"),
        ('failed calling webhook "x": no endpoints available for service "y"', "look at the pods of its service"),
    ],
)
def test_a_trace_gives_its_cause_away(text: str, words: str) -> None:
    assert words in known_cause(["started", text, "stopped"])


@pytest.mark.parametrize(
    "text", ["", "listening on :80", "open /etc/app.conf: permission denied", "accept: too many open files"]
)
def test_other_words_give_nothing_away(text: str) -> None:
    assert known_cause([text]) == ""


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        (Diagnosis("web crashes", "CrashLoopBackOff", True, log="<jemalloc>: Unsupported system page size"), "16 KiB"),
        (Diagnosis("web is not up", "", False, events=("FailedMount: mount.nfs: not found",)), "nfs-common"),
        (Diagnosis("web crashes", "OOMKilled", True, log="starting"), "raise the container's memory limit"),
    ],
)
def test_a_diagnosis_ends_with_what_mends_it(diagnosis: Diagnosis, words: str) -> None:
    sentence = diagnosis.full_text.splitlines()[0]
    assert sentence.startswith(f"{diagnosis.sentence}; ")
    assert words in sentence
