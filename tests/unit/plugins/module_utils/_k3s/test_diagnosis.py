# SPDX-License-Identifier: GPL-3.0-or-later
"""What k3s says when it does not come up, and what a person should do then."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.diagnosis import CAUSES, diagnose, mask

LINES = [
    ("memory_cgroup", 'level=fatal msg="failed to find memory cgroup (v2)"'),
    ("memory_cgroup", 'failed to find memory cgroup, you may need to add "cgroup_memory=1 cgroup_enable=memory"'),
    ("disk_full", "panic: failed to save state and entries: write /db/etcd/member/wal/0.wal: no space left on device"),
    (
        "token_of_the_datastore",
        "Error: preparing server: bootstrap data already found and encrypted with different token",
    ),
    ("ca_hash", "token CA hash does not match the Cluster CA certificate hash: aa != bb"),
    ("token", "failed to retrieve configuration from server: https://127.0.0.1:6444/v1-k3s/config: 401 Unauthorized"),
    ("token", "server is not ready: failed to retrieve configuration from server: not authorized"),
    (
        "node_password",
        "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match",
    ),
    ("duplicate_node", "etcd cluster join failed: duplicate node name found, please use a unique name for this node"),
    ("critical_configuration", "critical configuration value mismatch between servers"),
    ("port", "init cluster datastore and https: listen tcp :6443: bind: address already in use"),
    ("overlayfs", '"overlayfs" snapshotter cannot be enabled for "/var/lib/rancher/k3s", try using "fuse-overlayfs"'),
    ("removed_from_etcd", "this server is a not a member of the etcd cluster. Found [pi2-1234], expect: pi1-5678"),
    ("newer_than_datastore", "/x/server-ca.key newer than datastore and could cause a cluster outage."),
    ("inotify", 'kubelet.go:1804] "Failed to start cAdvisor" err="inotify_init: too many open files"'),
    ("clock", "x509: certificate has expired or is not yet valid: current time 2020-01-01 is before 2026-01-01"),
    ("learner", "this server has not yet been promoted from learner to voting member"),
    ("learner", "etcdserver: too many learner members in cluster"),
    ("quorum", "etcdserver: re-configuration failed due to not enough started members"),
    ("quorum", '{"msg":"failed to publish local member to cluster through raft","error":"context deadline exceeded"}'),
    ("database", 'pq: password authentication failed for user "k3s"'),
    ("database_unreachable", "ERRO[1] Failed to ping database connection: dial tcp: connect: connection refused"),
    ("cgroup_v1", "kubelet is configured to not run on a host using cgroup v1"),
    (
        "unreachable_server",
        "failed to get CA certs: Get https://pi1:6443/cacerts: dial tcp: connect: connection refused",
    ),
]


@pytest.mark.parametrize(("name", "line"), LINES)
def test_a_line_of_k3s_gives_its_cause_away(name: str, line: str) -> None:
    cause = diagnose(["level=info msg=starting", line, "level=info msg=more"])
    assert cause is not None
    assert cause.name == name


def test_every_cause_says_what_to_do() -> None:
    verbs = (
        "append",
        "give",
        "check",
        "remove",
        "look",
        "compare",
        "stop",
        "move",
        "delete",
        "add",
        "start",
        "see",
        "set",
    )
    assert [cause.name for cause in CAUSES if not any(verb in cause.sentence for verb in verbs)] in ([], ["token_form"])


def test_a_quiet_journal_gives_nothing_away() -> None:
    assert diagnose(["level=info msg=starting"]) is None


def test_a_fatal_cause_is_named_before_what_follows_from_it() -> None:
    cause = diagnose(["connection refused", "failed to find memory cgroup (v2)"])
    assert cause is not None
    assert cause.name == "memory_cgroup"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"k3s server -s https://pi1:6443 -t K10{'a' * 64}::server:hidden", "hidden"),
        ("starting with --token=hidden --debug", "hidden"),
        ('msg="agent-token: hidden"', "hidden"),
        ("datastore postgres://k3s:hidden@db:5432/k3s", "hidden"),
        ("password=hidden host=db", "hidden"),
    ],
)
def test_a_secret_in_the_journal_is_not_repeated(line: str, secret: str) -> None:
    assert secret not in mask(line)
    assert "********" in mask(line)


def test_what_is_no_secret_stays_readable() -> None:
    line = "token CA hash does not match the Cluster CA certificate hash: aa != bb"
    assert mask(line) == line
