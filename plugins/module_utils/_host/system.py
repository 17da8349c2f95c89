# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a machine is: its processor, system, kernel, clock and packages."""

from __future__ import annotations

import json
import os
import shlex
import socket
import time
from collections.abc import Sequence
from typing import Any

from .._pi.kernels import reboot_reasons
from .board import model
from .kernels import kernel_state
from .paths import NODE_PASSWORD, Tree
from .swap import RPI_SWAP, swap_devices, swap_sources
from .systemd import Run, units

_TIME_SERVICES = ("systemd-timesyncd", "chrony", "chronyd", "ntpsec", "ntp", "openntpd")
_WAIT_FOR_TIME = "systemd-time-wait-sync.service"
_COMMAND_LINES = ("/boot/firmware/current/cmdline.txt", "/boot/firmware/cmdline.txt", "/boot/cmdline.txt")
# What the role remarks in /etc/hosts while it gives the machine another name.
_BETWEEN_NAMES = "# until the host name has changed"
# Features that are there whether their module is loaded or built into the kernel.
_FEATURES = {"br_netfilter": "/proc/sys/net/bridge"}


def describe_machine(
    tree: Tree,
    run: Run,
    *,
    packages: Sequence[str],
    sysctls: Sequence[str],
    modules: Sequence[str],
    controller_time: float | None,
) -> dict[str, Any]:
    """Return everything about a machine that the roles decide from."""
    kernel = os.uname()
    container = tree.text("/run/systemd/container").strip()
    kernels = kernel_state(tree, kernel.release, bool(container))
    return {
        "hostname": socket.gethostname(),
        "has_two_names": _BETWEEN_NAMES in tree.text("/etc/hosts"),
        "machine_id": tree.text("/etc/machine-id").strip(),
        "boot_id": tree.text("/proc/sys/kernel/random/boot_id").strip(),
        "architecture": kernel.machine,
        "kernel": kernel.release,
        "kernel_state": kernels,
        "reboot_reasons": reboot_reasons(kernels),
        "os": _operating_system(tree),
        "model": model(tree),
        "container": container,
        "cpus": os.cpu_count() or 1,
        "memory_mb": _memory_mb(tree),
        "addresses": _addresses(run),
        "kernel_command_line": tree.text("/proc/cmdline").strip(),
        "command_line_file": next((path for path in _COMMAND_LINES if tree.has(path)), ""),
        "memory_cgroup": memory_cgroup(tree),
        # The swap of a container's host is none of the container's business, though /proc/swaps shows it.
        "swap": [] if container else swap_devices(tree),
        "swap_sources": [] if container else swap_sources(tree),
        "rpi_swap": not container and tree.has(RPI_SWAP),
        "fstab": tree.text("/etc/fstab"),
        "time": _time(tree, run, controller_time),
        "sysctls": {name: _sysctl(tree, name) for name in sysctls},
        "missing_modules": [name for name in modules if not _has_module(tree, name, kernel.release)],
        "cluster_member": tree.has(NODE_PASSWORD),
        "missing_packages": missing_packages(tree, packages),
    }


def memory_cgroup(tree: Tree) -> str:
    """Return the version of control groups that really accounts for memory, or nothing.

    /proc/cgroups does not tell: kernels without version 1 leave memory out of it although it works.
    """
    if "memory" in tree.words("/sys/fs/cgroup/cgroup.controllers"):
        return "v2"
    for line in tree.text("/proc/mounts").splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[2] == "cgroup" and "memory" in fields[3].split(","):
            return "v1"
    return ""


def missing_packages(tree: Tree, wanted: Sequence[str]) -> list[str]:
    """Return those Debian packages of a list that are not installed."""
    installed = set()
    for entry in tree.text("/var/lib/dpkg/status").split("\n\n"):
        if "\nStatus: install ok installed" in entry:
            installed.add(entry.partition("\n")[0].removeprefix("Package: "))
    return [name for name in wanted if name not in installed]


def _operating_system(tree: Tree) -> dict[str, str]:
    fields = {}
    for line in tree.text("/etc/os-release").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            fields[key] = " ".join(shlex.split(value))
    return {
        "id": fields.get("ID", ""),
        "version": fields.get("VERSION_ID", ""),
        "codename": fields.get("VERSION_CODENAME", ""),
        "name": fields.get("PRETTY_NAME", ""),
    }


def _memory_mb(tree: Tree) -> int:
    for line in tree.text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _addresses(run: Run) -> list[str]:
    rc, out, _err = run(["ip", "-json", "address", "show", "scope", "global"])
    if rc != 0:
        return []
    listed = [address for link in json.loads(out or "[]") for address in link.get("addr_info", [])]
    return [address["local"] for address in listed if "local" in address]  # ip prints {} for one that it filtered out


def _time(tree: Tree, run: Run, controller_time: float | None) -> dict[str, Any]:
    names = [f"{name}.service" for name in _TIME_SERVICES]
    states = units(run, [*names, _WAIT_FOR_TIME])
    enabled = [name.removesuffix(".service") for name in names if states[name].loaded and states[name].enabled]
    return {
        # How far this clock is ahead of the controller's; the way here makes it a little too large on all machines.
        "offset": None if controller_time is None else time.time() - controller_time,
        "service": enabled[0] if enabled else "",
        "synchronized": tree.has("/run/systemd/timesync/synchronized"),
        "waits_at_boot": states[_WAIT_FOR_TIME].enabled,
    }


def _sysctl(tree: Tree, name: str) -> str | None:
    path = f"/proc/sys/{name.replace('.', '/')}"
    return " ".join(tree.words(path)) if tree.has(path) else None


def _has_module(tree: Tree, name: str, release: str) -> bool:
    if tree.has(_FEATURES.get(name, f"/sys/module/{name}")) or name in tree.words("/proc/filesystems"):
        return True
    if any(line.startswith(f"{name} ") for line in tree.text("/proc/modules").splitlines()):
        return True
    builtin = tree.text(f"/lib/modules/{release}/modules.builtin").splitlines()
    return any(line.endswith(f"/{name}.ko") for line in builtin)
