# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stopped k3s leaves in the kernel, on a machine that is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HostError
from ansible_collections.hearth.cluster.plugins.module_utils._host import remains as subject
from ansible_collections.hearth.cluster.plugins.module_utils._host.remains import Machine, Remains

from .machine import tree

SHIM = "/var/lib/rancher/k3s/data/abc/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-address\0{}\0"
OURS = SHIM.format("/run/k3s/containerd/containerd.sock")
DOCKERS = SHIM.format("/run/containerd/containerd.sock")
MOUNTS = """\
22 1 8:1 / / rw shared:1 - ext4 /dev/root rw
40 22 0:31 / /run/k3s/containerd/rootfs rw - overlay overlay rw
41 40 0:32 / /var/lib/kubelet/pods/a\\040b/volumes rw - tmpfs tmpfs rw
42 22 0:4 net /run/netns/cni-1234 rw - nsfs nsfs rw
43 22 0:33 / /var/lib/kubelet rw - ext4 /dev/sda1 rw
44 22 0:34 / /run/k3s-of-somebody rw - tmpfs tmpfs rw
"""
RULES = """\
*filter
:INPUT ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
:DOCKER - [0:0]
-A INPUT -p tcp --dport 22 -j ACCEPT
-A FORWARD -m comment --comment "flanneld forward" -s 10.42.0.0/16 -j ACCEPT
-A FORWARD -j KUBE-FORWARD
COMMIT
"""


class Commands:
    """Answers with rules, and notes what else was asked for."""

    def __init__(self, rules: str = RULES, *, failing: str = "") -> None:
        self.rules, self.failing = rules, failing
        self.asked: list[str] = []

    def __call__(self, command: list[str], *, data: str | None = None) -> tuple[int, str, str]:
        if command[0].endswith("-save"):
            return 0, self.rules, ""
        self.asked.append(" ".join(command))
        if data is not None:
            self.rules = data
        return (1, "", "target is busy") if self.failing and self.failing in command[0] else (0, "", "")


class Processes:
    """Kills by removing the folder of the process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.killed: list[int] = []

    def kill(self, process: int, _signal: int) -> None:
        self.killed.append(process)
        for name in ("cmdline", "stat"):
            (self.root / "proc" / str(process) / name).unlink()
        (self.root / "proc" / str(process)).rmdir()


def machine(root: Path, commands: Commands) -> tuple[Machine, Processes]:
    processes = Processes(root)
    files = {
        "/proc/1/cmdline": "/sbin/init\0",
        "/proc/1/stat": "1 (systemd) S 0 1 1",
        "/proc/50/cmdline": OURS,
        "/proc/50/stat": "50 (containerd-shim) S 1 50 1",
        "/proc/51/cmdline": "nginx\0",
        "/proc/51/stat": "51 (a) name (here) S 50 51 1",
        "/proc/52/cmdline": "nginx\0",
        "/proc/52/stat": "52 (nginx) S 51 51 1",
        "/proc/60/cmdline": DOCKERS,
        "/proc/60/stat": "60 (containerd-shim) S 1 60 1",
        "/proc/self/mountinfo": MOUNTS,
        "/sys/class/net/cni0/address": "",
        "/sys/class/net/docker0/address": "",
        "/run/netns/cni-1234": "",
    }
    made = Machine(tree(root, files), commands, {"iptables": "/usr/sbin/iptables"}, processes.kill)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/kubectl").symlink_to("k3s")
    (root / "usr/local/bin/ctr").write_text("another program")
    return made, processes


def test_what_is_k3s_is_told_apart_from_what_others_have(tmp_path: Path) -> None:
    found = machine(tmp_path, Commands())[0].look()
    assert found == Remains(
        containers=1,
        processes=(50, 51, 52),
        mounts=("/run/k3s/containerd/rootfs", "/var/lib/kubelet/pods/a b/volumes", "/run/netns/cni-1234"),
        links=("cni0",),
        rules=("iptables",),
        commands=("/usr/local/bin/kubectl",),
    )


def test_all_of_it_goes_and_the_rest_stays(tmp_path: Path) -> None:
    commands = Commands()
    here, processes = machine(tmp_path, commands)
    here.clear(here.look())
    assert processes.killed == [50, 51, 52]
    assert commands.asked == [
        "umount --force /run/netns/cni-1234",
        "umount --force /var/lib/kubelet/pods/a b/volumes",
        "umount --force /run/k3s/containerd/rootfs",
        "ip link delete cni0",
        "/usr/sbin/iptables-restore",
    ]
    assert commands.rules == (
        "*filter\n:INPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    )
    assert not (tmp_path / "run/netns/cni-1234").exists()
    assert [path.name for path in (tmp_path / "usr/local/bin").iterdir()] == ["ctr"]


def test_a_machine_without_any_of_it_has_nothing_to_do(tmp_path: Path) -> None:
    assert not Machine(tree(tmp_path, {"/proc/1/cmdline": "/sbin/init\0"}), Commands("")).look()


def test_what_somebody_else_takes_away_meanwhile_is_gone_as_well(tmp_path: Path) -> None:
    here, _processes = machine(tmp_path, Commands())

    def too_late(command: list[str], *, data: str | None = None) -> tuple[int, str, str]:
        """Another one has done it just before."""
        if command[0] == "umount":
            (tmp_path / "proc/self/mountinfo").write_text("")
        if command[0] == "ip":
            (tmp_path / "sys/class/net/cni0/address").unlink()
            (tmp_path / "sys/class/net/cni0").rmdir()
            (tmp_path / "usr/local/bin/kubectl").unlink()
        return (0, "", "") if command[0].startswith("/usr/sbin/iptables") else (1, "", "it is not there")

    late = Machine(here.tree, too_late, here.firewalls, here.kill)
    late.clear(here.look())
    assert not late.look()


def test_a_mount_that_is_in_use_is_named(tmp_path: Path) -> None:
    here, _processes = machine(tmp_path, Commands(failing="umount"))
    with pytest.raises(HostError, match=r"unmount /run/netns/cni-1234; .* target is busy"):
        here.clear(here.look())


def test_a_container_that_does_not_die_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_SECONDS_TO_DIE", 0.0)
    here, _processes = machine(tmp_path, Commands())
    undead = Machine(here.tree, here.run, here.firewalls, lambda _process, _signal: None)
    with pytest.raises(HostError, match="do not end"):
        undead.clear(undead.look())
