# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control group hierarchies a host has."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cgroups import parse_mounts

HYBRID = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
cgroup2 /var/lib/elsewhere/cgroup cgroup2 rw,relatime 0 0
"""
UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n"


def test_a_hybrid_host_has_hierarchies_of_both_versions() -> None:
    found = {str(hierarchy.mount): hierarchy for hierarchy in parse_mounts(HYBRID)}
    assert {path: hierarchy.version for path, hierarchy in found.items()} == {
        "/sys/fs/cgroup/cpuset": 1,
        "/sys/fs/cgroup/cpu,cpuacct": 1,
        "/sys/fs/cgroup/systemd": 1,
        "/sys/fs/cgroup/unified": 2,
    }
    assert "cpuset" in found["/sys/fs/cgroup/cpuset"].controllers
    assert "cpuset" not in found["/sys/fs/cgroup/cpu,cpuacct"].controllers


def test_a_unified_host_has_one() -> None:
    assert [(hierarchy.mount, hierarchy.version) for hierarchy in parse_mounts(UNIFIED)] == [
        (Path("/sys/fs/cgroup"), 2)
    ]
