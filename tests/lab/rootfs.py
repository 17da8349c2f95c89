# SPDX-License-Identifier: GPL-3.0-or-later
"""The root file system of every machine: Debian with what Raspberry Pi OS Lite carries and k3s needs.

Each is built once and kept in the cache under a hash of its recipe below, so that a changed recipe builds anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab import locks
from tests.lab.errors import LabError
from tests.lab.paths import cache_directory
from tests.lab.progress import Progress

SUITE = "trixie"

# What Raspberry Pi OS Lite has and the roles look at or use.
OPERATING_SYSTEM = (
    "ca-certificates,curl,dbus,iproute2,iputils-ping,kmod,libpam-systemd,netbase,openssh-server,openssl,procps,python3,"
    "python3-apt,rsync,sudo,systemd,systemd-sysv,systemd-timesyncd,udev,zstd"
)
# What k3s brings in its own binary and the lab's double of k3s takes from Debian; here so that tests wait for no apt.
CONTAINERS = (
    "conntrack,containerd,containernetworking-plugins,ethtool,ipset,iptables,nftables,runc,socat,sqlite3,"
    "etcd-server,etcd-client"
)
# They belong to the double, which starts its own; a Raspberry Pi does not run them.
DISABLED_UNITS = ("containerd.service", "etcd.service")
# Nobody reads manuals or translations there, and every machine is a copy.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Recipe:
    """What mmdebstrap is asked for."""

    suite: str
    packages: str
    variant: str = "minbase"
    architecture: str = ""  # empty means this computer's

    def command(self, target: Path) -> list[str]:
        return [
            "mmdebstrap",
            "--mode=root",
            "--format=directory",
            f"--variant={self.variant}",
            *([f"--architectures={self.architecture}"] if self.architecture else []),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
            f"--include={self.packages}",
            self.suite,
            str(target),
        ]

    @property
    def name(self) -> str:
        recipe = "\n".join([*self.command(Path("target")), *DISABLED_UNITS])
        key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
        return "-".join(filter(None, (self.suite, self.architecture, key)))


MACHINE = Recipe(SUITE, f"{OPERATING_SYSTEM},{CONTAINERS}")
OLDER_MACHINE = replace(MACHINE, suite="bookworm")
# Unpacked and not set up, since its programs cannot run here as they are; enough for Python.
ARM64 = Recipe(SUITE, "python3", variant="extract", architecture="arm64")


def template(progress: Progress, recipe: Recipe = MACHINE) -> Path:
    """The built root file system; built now if the cache has none."""
    directory = cache_directory() / "rootfs" / recipe.name
    waiting = progress.step("lab", "waiting for the root file system that another command builds")
    with locks.exclusive(directory.with_suffix(".lock"), waiting):
        if not directory.is_dir():
            _build(directory, recipe, progress)
    return directory


def _build(directory: Path, recipe: Recipe, progress: Progress) -> None:
    unfinished = directory.with_suffix(".unfinished")
    log = directory.with_suffix(".log")
    shutil.rmtree(unfinished, ignore_errors=True)
    # /tmp settings of the caller may point to places that do not exist inside the new root.
    environment = {**os.environ, "TMPDIR": "/tmp"}
    with progress.step("lab", f"building the root file system {recipe.name}"), log.open("wb") as output:
        run = subprocess.run(
            ["nice", *recipe.command(unfinished)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
        if run.returncode != 0:
            raise LabError(f"mmdebstrap failed with status {run.returncode}; its last lines ({log}):\n{_tail(log)}")
        units = [unit for unit in DISABLED_UNITS if (unfinished / "usr/lib/systemd/system" / unit).exists()]
        if units:
            subprocess.run(["systemctl", f"--root={unfinished}", "--quiet", "disable", *units], check=True)
        unfinished.rename(directory)


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
