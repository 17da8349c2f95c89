# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab needs of the host, and the command that brings what is missing.

Everything is checked at once and before anything is changed, so that a person mends a host in one go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError


@dataclass(frozen=True)
class Requirement:
    """One thing that the host must have: ``packages`` bring it (Debian names), or else the ``remedy`` tells how."""

    name: str
    met: Callable[[], bool]
    packages: tuple[str, ...] = ()
    remedy: str = ""


def command(name: str, *packages: str) -> Requirement:
    return Requirement(f"the command {name}", lambda: _find(name) is not None, packages)


def _find(name: str) -> str | None:
    # A user's PATH often lacks the sbin directories, in which ip and nft live.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin")


def can_make_namespaces() -> bool:
    """Only a try tells what a sandbox around this host forbids. Without root no try tells anything."""
    if os.geteuid() != 0:
        return True
    attempt = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "true"]
    return _find("unshare") is not None and subprocess.run(attempt, capture_output=True, check=False).returncode == 0


def can_make_cgroups() -> bool:
    places = (Path("/sys/fs/cgroup/cgroup.procs"), Path("/sys/fs/cgroup/pids"))
    return os.geteuid() != 0 or any(os.access(place, os.W_OK) for place in places)


ROOT = Requirement("root", lambda: os.geteuid() == 0, remedy="run the same command as root, for example with sudo")
NAMESPACES = Requirement(
    "namespaces (mount, pid, net, uts)",
    can_make_namespaces,
    remedy="use a machine or virtual machine of your own: this one is a sandbox that forbids them",
)
CGROUPS = Requirement(
    "writable cgroups in /sys/fs/cgroup",
    can_make_cgroups,
    remedy="mount cgroups writable (in a container: run it privileged)",
)

MACHINES = (
    ROOT,
    NAMESPACES,
    CGROUPS,
    command("systemd-nspawn", "systemd-container"),
    command("mmdebstrap", "mmdebstrap", "debian-archive-keyring"),
    command("ip", "iproute2"),
    command("nft", "nftables"),
    command("ssh", "openssh-client"),
    command("ssh-keygen", "openssh-client"),
)
GO = (command("go", "golang-go"),)


def missing(requirements: Iterable[Requirement]) -> list[Requirement]:
    return [requirement for requirement in requirements if not requirement.met()]


def explain(lacking: Iterable[Requirement]) -> str:
    """One message: what is missing, one apt command for all that apt has, a sentence for each thing that it has not."""
    lacking = list(lacking)
    lines = ["this machine cannot run the lab; missing: " + ", ".join(requirement.name for requirement in lacking)]
    packages = sorted({package for requirement in lacking for package in requirement.packages})
    if packages:
        lines.append("install with: apt-get install --yes " + " ".join(packages))
    lines += [f"{requirement.name}: {requirement.remedy}" for requirement in lacking if requirement.remedy]
    return "\n".join(lines)


def require(requirements: Iterable[Requirement]) -> None:
    lacking = missing(requirements)
    if lacking:
        raise LabError(explain(lacking))
