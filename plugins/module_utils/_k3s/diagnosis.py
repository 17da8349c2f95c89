# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What k3s says in its journal when it does not come up, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One known reason why k3s does not become ready."""

    name: str
    pattern: re.Pattern[str]
    sentence: str
    heals: bool = False  # k3s itself may get over it, so watching goes on until the time is up


def _cause(name: str, pattern: str, sentence: str, *, heals: bool = False) -> Cause:
    return Cause(name, re.compile(pattern, re.IGNORECASE), sentence, heals)


# The order is the order of certainty: the first row that matches any line is the diagnosis.
CAUSES: tuple[Cause, ...] = (
    _cause(
        "memory_cgroup",
        r"failed to find memory cgroup",
        "the kernel runs without the memory cgroup: append cgroup_enable=memory to the one line of "
        "/boot/firmware/cmdline.txt (/boot/cmdline.txt on Debian 11 and older) and reboot",
    ),
    _cause(
        "cgroup",
        r"failed to find (cpu|cpuset|pids) cgroup|pids cgroup controller not found",
        "the kernel runs without a control group that k3s needs: look for cgroup_disable in /proc/cmdline",
    ),
    _cause(
        "cgroup_v1",
        r"kubelet is configured to not run on a host using cgroup v1",
        "the machine runs with control groups of version 1, which the kubelet refuses from 1.35 on: update the "
        "operating system, or set k3s_config: {kubelet-arg: [fail-cgroupv1=false]}",
    ),
    _cause(
        "disk_full",
        r"no space left on device|database space exceeded",
        "the disk is full: look at what fills it (df -h; du -xhd1 /var) and remove what can go, as with k3s crictl rmi "
        "--prune or journalctl --vacuum-size=100M; k3s then goes on by itself",
        heals=True,
    ),
    _cause(
        "token_of_the_datastore",
        r"bootstrap data already found and encrypted with different token",
        "the datastore was made with another token: give k3s_token the token the cluster was made with",
    ),
    _cause(
        "ca_hash",
        r"token CA hash does not match the Cluster CA certificate hash",
        "the token belongs to another cluster: the server that answered has a different CA; check k3s_servers "
        "and k3s_token, and remove /etc/rancher/k3s/token on this machine",
    ),
    _cause(
        "token_form",
        r"failed to normalize token|invalid token (CA hash length|format)|token must not be empty",
        "the token has a wrong form: it is either a password or K10<hash>::server:<password>",
    ),
    _cause(
        "token",
        r"401 Unauthorized|not authorized\b|invalid username/password combination",
        "the server did not accept the token: remove /etc/rancher/k3s/token on this machine and run again, so "
        "that it is read anew from a live server",
    ),
    _cause(
        "node_password",
        r"Node password rejected|unable to verify password for node",
        "the cluster knows a node of this name with another password: either two machines have one host name, "
        "or this one was set up anew while its old Node object is still there; in the second case delete the Node",
    ),
    _cause(
        "duplicate_node",
        r"duplicate node name found",
        "etcd still has a member of this name: two machines have one host name, or the Node object of this machine's "
        "former life must be deleted first",
    ),
    _cause(
        "critical_configuration",
        r"critical configuration (value )?mismatch",
        "a setting that must be equal on all servers differs on this one: compare k3s_config and "
        "k3s_server_config of the servers with the line that names the flag",
    ),
    _cause(
        "port",
        r"bind: address already in use|port .* already in use",
        "another program listens on a port that k3s needs (6443, 6444, 10250, on servers also 2379 and 2380): stop it",
    ),
    _cause(
        "inotify",
        r"inotify_init: too many open files|creating fsnotify watcher: too many open files",
        "the kernel allows too few inotify instances for all that runs here: set fs.inotify.max_user_instances to 1024 "
        "in raspberry_pi_sysctls",
        heals=True,  # others on the same kernel may give theirs back
    ),
    _cause(
        "overlayfs",
        r"\"?overlayfs\"? snapshotter cannot be enabled",
        "the file system below k3s' data directory cannot carry overlayfs: move the directory to ext4 or xfs, or set "
        "k3s_config: {snapshotter: native}",
    ),
    _cause(
        "newer_than_datastore",
        r"newer than datastore and could cause a cluster outage",
        "files on disk are newer than the datastore, as after a jump of the clock: remove the named files and "
        "start again",
    ),
    _cause(
        "removed_from_etcd",
        r"this server is a not a member of the etcd cluster",
        "the cluster has removed this server: move server/db out of k3s' data directory, then run again to join anew",
    ),
    _cause(
        "database",
        r"(password authentication failed|no pg_hba.conf entry|database .* does not exist|Access denied for user)",
        "the database refused the connection: check user, password and database in k3s_datastore_endpoint",
    ),
    _cause(
        "database_unreachable",
        r"Failed to ping database connection",
        "the database does not answer: see that it runs, and that k3s_datastore_endpoint names its host and port",
        heals=True,
    ),
    _cause(
        "clock",
        r"certificate has expired or is not yet valid",
        "a certificate is not valid at this machine's time: compare the clocks of the machines (timedatectl)",
        heals=True,
    ),
    _cause(
        "default_route",
        r"no default routes? found|unable to (select|find) (an IP|default route)",
        "the machine has no default route, which k3s needs even where nothing lies behind it: add a gateway, "
        "or a dummy interface with a default route",
        heals=True,
    ),
    _cause(
        "quorum",
        r"not enough started members|etcdserver: no leader|etcdserver: request timed out|lost leader|"
        r"failed to publish local member to cluster through raft",  # a member that started and found no majority
        "etcd has no majority: most of the servers must run before any of them can work; start the others, or, if they "
        "are lost for good, bring the cluster back from a backup: hearth.cluster.restore -e from=DIRECTORY",
        heals=True,
    ),
    _cause(
        "learner",
        r"too many learner members|not yet been promoted from learner",
        "etcd takes in one new server at a time and has not finished with this or another one: look at the "
        "journal of the other servers and at their disks, then run again",
        heals=True,
    ),
    _cause(
        "unreachable_server",
        r"failed to get CA certs|connection refused|no route to host|i/o timeout|TLS handshake timeout",
        "the server this node wants to join did not answer: see that k3s runs there and that port 6443 is open "
        "between the machines",
        heals=True,
    ),
)

_SECRETS = (
    (re.compile(r"K10[0-9a-f]{64}::\S+"), "K10********"),
    (re.compile(r"(?i)(\b(?:agent-)?token[=:]\s*\"?)(?!CA\b)[^\s\"']+"), r"\1********"),
    (re.compile(r"(\w+://[^:/\s@]+:)[^@\s]+@"), r"\1********@"),
    (re.compile(r"(?i)(\b(?:password|secret-key|access-key)[=:]\s*\"?)[^\s\"']+"), r"\1********"),
)


def diagnose(lines: Iterable[str]) -> Cause | None:
    """Return the most certain known cause that the lines speak of."""
    text = "\n".join(lines)
    return next((cause for cause in CAUSES if cause.pattern.search(text)), None)


def mask(line: str) -> str:
    """Take what lets somebody in out of a line of the journal."""
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line
