# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes use libraries that were replaced."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._host.libraries import describe_libraries
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import tree

LIBC = "7f10c0000000-7f10c0001000 r-xp 00000000 08:02 131 /usr/lib/aarch64-linux-gnu/libc.so.6"


def process(maps: str, cgroup: str = "0::/system.slice/dbus.service", name: str = "dbus-daemon") -> dict[str, str]:
    return {"/proc/77/maps": f"{maps}\n", "/proc/77/cgroup": f"{cgroup}\n", "/proc/77/comm": f"{name}\n"}


def test_a_process_with_a_replaced_library_is_a_reason_to_start_again(tmp_path: Path) -> None:
    libraries = describe_libraries(tree(tmp_path, process(f"{LIBC} (deleted)")))
    assert libraries["outdated_in"] == ["dbus-daemon"]
    assert libraries["reboot_reasons"] == ["libraries were replaced that are in use by dbus-daemon"]


@pytest.mark.parametrize(
    "files",
    [
        process(LIBC),
        process("7f10c0000000-7f10c0001000 rw-s 00000000 00:01 77 /memfd:journal (deleted)"),
        process("7f10c0000000-7f10c0001000 rw-s 00000000 00:01 77 /usr/lib/locale/old (deleted)"),
        process(f"{LIBC} (deleted)", "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-5.scope"),
        process(f"{LIBC} (deleted)", "0::/user.slice/user-1000.slice/session-1.scope"),
        {"/proc/uptime": "77.0 66.0\n"},
    ],
)
def test_what_is_no_reason(tmp_path: Path, files: dict[str, str]) -> None:
    assert describe_libraries(tree(tmp_path, files)) == {"outdated_in": [], "reboot_reasons": []}
