# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a k3s that was stopped leaves in the kernel: containers, mounts, links, rules.

Containers live on when k3s stops, by design. What other programs have on the machine is told apart by the socket of
k3s' own containerd, by the paths below which k3s mounts, and by the names of its links and of its firewall's chains.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from .._errors import HostError
from .paths import Tree

_SOCKET = "/run/k3s/containerd/containerd.sock"
_MOUNTS = ("/run/k3s", "/var/lib/kubelet/pods", "/var/lib/kubelet/plugins")
_NAMESPACES = "/run/netns/cni-"
_LINKS = ("cni0", "flannel.1", "flannel-v6.1", "kube-ipvs0", "flannel-wg", "flannel-wg-v6")
_RULE = re.compile(r"KUBE-|CNI-|flannel", re.IGNORECASE)
_COMMANDS = ("kubectl", "crictl", "ctr")
_SECONDS_TO_DIE = 20.0
_PAUSE = 0.1


class Runner(Protocol):
    """Runs a command, with a text as its input; returns its status, output and complaints."""

    def __call__(self, command: list[str], *, data: str | None = None) -> tuple[int, str, str]: ...


@dataclass(frozen=True, slots=True)
class Remains:
    """What is there; empty after a reboot without k3s."""

    containers: int = 0
    processes: tuple[int, ...] = ()
    mounts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()  # the firewalls that have some
    commands: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.processes or self.mounts or self.links or self.rules or self.commands)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where to look, and with what: ``firewalls`` has the programs of the firewall by name, without ``-save``."""

    tree: Tree
    run: Runner
    firewalls: Mapping[str, str] = field(default_factory=dict)
    kill: Callable[[int, int], None] = field(default=os.kill)

    def look(self) -> Remains:
        shims = self._shims()
        return Remains(
            containers=len(shims),
            processes=tuple(with_children(shims, self._parents())),
            mounts=tuple(self._mounts()),
            links=tuple(name for name in _LINKS if self._has_link(name)),
            rules=tuple(name for name, program in self.firewalls.items() if _RULE.search(self._saved(program))),
            commands=tuple(path for path in (f"/usr/local/bin/{name}" for name in _COMMANDS) if self._is_ours(path)),
        )

    def clear(self, remains: Remains) -> None:
        """Take it all away. Containers go first, because their mounts and links hang on them.

        What somebody else takes away meanwhile, as the last task of a run that was killed may, is done as well.
        """
        self._end(remains.processes)
        for mount in reversed(self._mounts()):
            what = f"unmount {mount}; see what uses it (fuser -m {mount})"
            self._must(["umount", "--force", mount], what, needed=partial(self._has_mount, mount))
            if mount.startswith(_NAMESPACES):
                self.tree.path(mount).unlink(missing_ok=True)
        for link in filter(self._has_link, remains.links):  # one may have gone with another
            what = f"delete the link {link}"
            self._must(["ip", "link", "delete", link], what, needed=partial(self._has_link, link))
        for program in (self.firewalls[name] for name in remains.rules):
            kept = without_rules_of_k3s(self._saved(program))
            self._must([f"{program}-restore"], f"take k3s' rules out of {program}", data=kept)
        for command in remains.commands:
            self.tree.path(command).unlink(missing_ok=True)

    def _shims(self) -> list[int]:
        """The processes that hold containers of k3s."""
        lines = {name: self.tree.text(f"/proc/{name}/cmdline") for name in self._processes()}
        return [int(name) for name, line in lines.items() if _is_shim(line.split("\0"))]

    def _parents(self) -> dict[int, int]:
        """The parent of each process; the name before it in the file may hold spaces and brackets."""
        states = {name: self.tree.text(f"/proc/{name}/stat") for name in self._processes()}
        return {int(name): int(text.rpartition(")")[2].split()[1]) for name, text in states.items() if text}

    def _processes(self) -> list[str]:
        return [name for name in self.tree.names("/proc") if name.isdigit()]

    def _mounts(self) -> list[str]:
        return mounts_of_k3s(self.tree.text("/proc/self/mountinfo"))

    def _has_mount(self, point: str) -> bool:
        return point in self._mounts()

    def _has_link(self, name: str) -> bool:
        return self.tree.has(f"/sys/class/net/{name}")

    def _saved(self, program: str) -> str:
        return self.run([f"{program}-save"])[1]

    def _is_ours(self, path: str) -> bool:
        link = self.tree.path(path)
        return link.is_symlink() and link.readlink().name == "k3s"

    def _end(self, processes: Iterable[int]) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                self.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + _SECONDS_TO_DIE
        while self._shims():
            if time.monotonic() > deadline:
                raise HostError("containers of k3s do not end although they were killed; reboot the machine and go on")
            time.sleep(_PAUSE)

    def _must(
        self, command: list[str], what: str, *, data: str | None = None, needed: Callable[[], bool] = lambda: True
    ) -> None:
        status, _output, complaint = self.run(command, data=data)
        if status != 0 and needed():
            raise HostError(f"cannot {what}: {complaint.strip() or f'status {status}'}")


def with_children(processes: Iterable[int], parents: Mapping[int, int]) -> list[int]:
    """The processes and all that descend from them."""
    children: dict[int, list[int]] = defaultdict(list)
    for process, parent in parents.items():
        children[parent].append(process)
    found = list(processes)
    for process in found:
        found.extend(children[process])
    return found


def mounts_of_k3s(mountinfo: str) -> list[str]:
    """Where k3s has mounted something for its pods, in the order in which that was done."""
    points = [line.split()[4].replace("\\040", " ") for line in mountinfo.splitlines()]
    return [point for point in points if _is_below(point, _MOUNTS) or point.startswith(_NAMESPACES)]


def without_rules_of_k3s(saved: str) -> str:
    """What ``iptables-save`` wrote, without the chains and rules that k3s and its network have made."""
    return "".join(line for line in saved.splitlines(keepends=True) if not _RULE.search(line))


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _is_shim(words: Sequence[str]) -> bool:
    return Path(words[0]).name.startswith("containerd-shim") and _SOCKET in words
