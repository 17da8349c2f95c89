# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules on the processor of a Raspberry Pi: Debian's arm64 Python, emulated, with the files of a Pi 5 around it.

Only Python is emulated. The programs that the modules ask answer with an error here, as on a system that lacks them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible
import pytest

from tests.conftest import need, unavailable
from tests.lab import requirements, rootfs
from tests.lab.disk import CONFIG_TXT, command_line
from tests.lab.errors import LabError
from tests.lab.paths import REPOSITORY
from tests.lab.progress import Progress

pytestmark = pytest.mark.lab
NEEDS = (
    requirements.ROOT,
    requirements.NAMESPACES,
    requirements.command("mmdebstrap", "mmdebstrap", "debian-archive-keyring"),
    requirements.command("qemu-aarch64-static", "qemu-user-static"),
    requirements.command("busybox", "busybox-static"),
)
ASKED_PROGRAMS = ("ip", "systemctl")
FILES = {
    "boot/firmware/cmdline.txt": command_line("4e639091"),
    "boot/firmware/config.txt": CONFIG_TXT,
    "etc/rpi/swap.conf": "[Main]\nMechanism=auto\n",
    "sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "sys/firmware/devicetree/base/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/class/thermal/thermal_zone0/temp": "51800\n",
    "sys/class/watchdog/watchdog0/max_timeout": "15\n",
}
# Code and compiled code lie outside of the root file system's own files, which stay as they are in the cache.
PYTHON = {"PYTHONPATH": "/mnt/python", "PYTHONPYCACHEPREFIX": "/var/cache/python"}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def pi5(tmp_path: Path) -> Path:
    """What the machine has of its own, to be laid over the root file system."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    programs = tmp_path / "usr/local/bin"
    programs.mkdir(parents=True)
    for name in ASKED_PROGRAMS:
        shutil.copy("/bin/busybox", programs / name)
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def run(pi5: Path) -> Run:
    need(NEEDS)
    try:
        root = rootfs.template(Progress(), rootfs.ARM64)
    except LabError as error:
        unavailable(str(error))
    for name in ("bin", "lib", "sbin"):
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    qemu = shutil.which("qemu-aarch64-static")
    assert qemu
    over = {pi5 / name: name for name in ("boot", "etc/rpi", "run", "sys", "usr/local/bin")}
    code = "mnt/python/ansible_collections/hearth/cluster"
    over |= {Path("/proc"): "proc", REPOSITORY: code, Path(ansible.__file__).parent: "mnt/python/ansible"}
    for place in over.values():
        (root / place).mkdir(parents=True, exist_ok=True)
    shutil.copy(qemu, root / "usr/bin/emulator")
    mounts = "".join(f"mount --rbind '{source}' '{root / place}'; " for source, place in over.items())

    def run(module: str, **options: Any) -> dict[str, Any]:
        program = f"{mounts} exec chroot {root} /usr/bin/emulator /usr/bin/python3 -m {module}"
        ended = subprocess.run(
            ["nice", "unshare", "--mount", "--propagation=private", "sh", "-ec", program],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
            env={"PATH": os.environ["PATH"], "HOME": "/root", **PYTHON},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        result: dict[str, Any] = json.loads(ended.stdout)
        return result

    return run


def module(name: str) -> str:
    return f"ansible_collections.hearth.cluster.plugins.modules.{name}"


def test_a_pi_5_is_seen_as_one_and_its_boot_files_are_set(run: Run, pi5: Path) -> None:
    seen = run(module("k3s_info"), gather=["host", "board", "k3s"], packages=["kmod"])
    host, board = seen["host"], seen["board"]
    assert (host["architecture"], host["model"], board["family"]) == (
        "aarch64",
        "Raspberry Pi 5 Model B Rev 1.0",
        "pi5",
    )
    assert (host["memory_cgroup"], host["swap_sources"], host["missing_packages"]) == ("v2", ["rpi-swap"], ["kmod"])
    assert (board["health"]["temperature"], board["watchdog"]["longest"]) == (51.8, 15)
    assert seen["k3s"]["role"] == ""

    options = {"command_line": {"present": {"cgroup_enable": ["memory"]}}}
    pages = [{"filter": "pi5", "settings": {"kernel": "kernel8.img"}}]
    assert run(module("boot_config"), **options, config=pages)["changed"]
    assert (pi5 / "boot/firmware/config.txt").read_text() == f"{CONFIG_TXT}[pi5]\nkernel=kernel8.img\n[all]\n"
    assert (
        (pi5 / "boot/firmware/cmdline.txt").read_text().endswith("cfg80211.ieee80211_regdom=GB cgroup_enable=memory\n")
    )
