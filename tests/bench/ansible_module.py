# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as Ansible sends it to a host: one file that carries the module and all that it imports."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar

from tests.lab.paths import cache_directory

# The release of the package `ansible` for the ansible-core that the tests use; of it only this collection is kept.
ANSIBLE_PACKAGE = "ansible==12.3.0"
PEER_COLLECTION = "ansible_collections/kubernetes/core/"


def write_module(name: str, arguments: Mapping[str, Any], path: Path) -> Path:
    """The file for one call of a module; run it with Python."""
    found = module_loader.find_plugin_with_context(name, collection_list=[])
    interpreter = {"ansible_python_interpreter": sys.executable}
    built = modify_module(
        module_name=found.resolved_fqcn or name,
        module_path=found.plugin_resolved_path,
        module_args=dict(arguments),
        templar=Templar(loader=DataLoader(), variables=interpreter),
        task_vars=interpreter,
        module_compression="ZIP_DEFLATED",
    )
    path.write_bytes(built.b_module_data)
    path.chmod(0o600)  # the arguments are in it
    return path


def find_collections() -> None:
    """Make this checkout and the peer known to Ansible, for the whole process."""
    peer = cache_directory() / "bench" / ANSIBLE_PACKAGE
    if not (peer / PEER_COLLECTION).is_dir():
        _fetch_peer(peer)
    init_plugin_loader([str(peer)])  # the checkout is among the packages of this Python


def _fetch_peer(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={target}", ANSIBLE_PACKAGE]
    subprocess.run(command, check=True)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target, [name for name in archive.namelist() if name.startswith(PEER_COLLECTION)])
    wheel.unlink()
