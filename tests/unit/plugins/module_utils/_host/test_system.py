# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine is, read from the files that say so."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._host.problems import differing_sysctls, machine_problems
from ansible_collections.hearth.cluster.plugins.module_utils._host.system import (
    describe_machine,
    memory_cgroup,
    missing_packages,
)
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import answering, tree, unit

V1 = "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n"
ADDRESSES = json.dumps([{}, {"addr_info": [{"local": "10.0.0.1"}, {}]}])
NOTHING = {"systemctl show": "", "ip -json": ADDRESSES}


def described(
    root: Path, files: dict[str, str], answers: dict[str, str] | None = None, **options: Any
) -> dict[str, Any]:
    usual = {"packages": [], "sysctls": [], "modules": [], "controller_time": None}
    return describe_machine(tree(root, files), answering({**NOTHING, **(answers or {})}), **{**usual, **options})


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"}, "v2"),
        ({"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n"}, ""),
        ({"/proc/mounts": V1}, "v1"),
        ({"/proc/mounts": V1.replace("memory 0", "cpu 0")}, ""),
        ({}, ""),
    ],
)
def test_memory_is_accounted_for_where_the_controller_is_really_on(
    tmp_path: Path, files: dict[str, str], version: str
) -> None:
    assert memory_cgroup(tree(tmp_path, files)) == version


def test_a_change_of_the_host_name_that_was_cut_short_is_seen(tmp_path: Path) -> None:
    role = Path(__file__).parents[5] / "roles/raspberry_pi/tasks"
    both, _name, alone = yaml.safe_load((role / "hostname.yml").read_text())
    lines = [task["ansible.builtin.lineinfile"]["line"] for task in (both, alone)]
    assert [described(tmp_path, {"/etc/hosts": line})["has_two_names"] for line in lines] == [True, False]
    tasks = yaml.safe_load((role / "main.yml").read_text())
    (condition,) = [task["when"] for task in tasks if "hostname.yml" in str(task)]
    assert "__raspberry_pi_host.has_two_names" in condition


STATUS = """Package: kmod
Status: install ok installed
Version: 34

Package: procps
Status: deinstall ok config-files

Package: curl
Status: install ok installed
"""


def test_a_package_counts_if_it_is_really_installed(tmp_path: Path) -> None:
    machine = tree(tmp_path, {"/var/lib/dpkg/status": STATUS})
    assert missing_packages(machine, ["curl", "kmod", "procps", "absent"]) == ["procps", "absent"]


def test_the_swap_of_a_containers_host_is_not_the_machines(tmp_path: Path) -> None:
    files = {"/run/systemd/container": "systemd-nspawn\n", "/proc/swaps": "head\n/dev/sda2 partition 1024 0 -2\n"}
    host = described(tmp_path, files)
    assert (host["container"], host["swap"]) == ("systemd-nspawn", [])


def test_the_model_of_a_pi_is_read_without_its_final_zero(tmp_path: Path) -> None:
    assert (
        described(tmp_path, {"/proc/device-tree/model": "Raspberry Pi 5 Model B\0"})["model"]
        == "Raspberry Pi 5 Model B"
    )


def test_parameters_are_compared_with_what_is_live(tmp_path: Path) -> None:
    host = described(tmp_path, {"/proc/sys/kernel/panic": "0\n"}, sysctls=["kernel.panic", "net.none"])
    assert host["sysctls"] == {"kernel.panic": "0", "net.none": None}
    assert differing_sysctls({"kernel.panic": 10, "net.none": 1}, host["sysctls"]) == ["kernel.panic=10", "net.none=1"]
    assert differing_sysctls({"kernel.panic": 0}, host["sysctls"]) == []


def test_a_parameter_of_several_words_is_one_value() -> None:
    assert (
        differing_sysctls(
            {"net.ipv4.ip_local_port_range": "1024 65000"}, {"net.ipv4.ip_local_port_range": "1024 65000"}
        )
        == []
    )


def test_a_module_may_be_loaded_or_built_in(tmp_path: Path) -> None:
    files = {
        "/proc/sys/net/bridge/x": "",
        "/proc/filesystems": "nodev\toverlay\n",
        "/proc/modules": "vxlan 1 0 - Live\n",
    }
    assert described(tmp_path, files, modules=["br_netfilter", "overlay", "vxlan", "zram"])["missing_modules"] == [
        "zram"
    ]


def test_the_clock_is_compared_with_the_controllers(tmp_path: Path) -> None:
    answers = {
        "systemctl show": unit("systemd-timesyncd.service")
        + "\n\n"
        + unit("systemd-time-wait-sync.service", UnitFileState="disabled")
    }
    host = described(tmp_path, {}, answers, controller_time=time.time() - 100)
    assert 99 < host["time"]["offset"] < 110
    assert (host["time"]["service"], host["time"]["waits_at_boot"]) == ("systemd-timesyncd", False)


def test_addresses_are_read_from_what_ip_prints(tmp_path: Path) -> None:
    assert described(tmp_path, {})["addresses"] == ["10.0.0.1"]


def record(name: str, **host: Any) -> dict[str, Any]:
    usual = {
        "memory_cgroup": "v2",
        "boot_id": name,
        "hostname": name,
        "cluster_member": False,
        "command_line_file": "",
        "kernel_command_line": "",
    }
    return {"name": name, "hostname": name, "problems": [], "host": {**usual, **host}}


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([record("pi1", memory_cgroup="")], ["pi1", "cgroup_enable=memory"]),
        ([record("pi1"), record("pi2", boot_id="pi1")], ["pi1 and pi2", "ansible_host"]),
        (
            [{**record("pi1"), "hostname": "pi"}, {**record("pi2"), "hostname": "pi"}],
            ["pi1 and pi2", "raspberry_pi_hostname"],
        ),
        ([{**record("pi1"), "hostname": "Not A Name"}], ["Not A Name"]),
        ([record("pi1", cluster_member=True, hostname="old")], ["pi1", "old", "does not change its name"]),
        ([{**record("pi1"), "problems": ["x is not a parameter"]}], ["x is not a parameter"]),
    ],
)
def test_what_must_be_mended_is_told_in_one_sentence(records: list[dict[str, Any]], words: list[str]) -> None:
    (problem,) = machine_problems(records)
    assert all(word in problem for word in words)


def test_a_kernel_that_the_role_mends_is_no_problem_yet_and_one_that_stays_so_is_explained() -> None:
    told = {
        "memory_cgroup": "",
        "kernel_command_line": "cgroup_enable=memory",
        "kernel": "5.4",
        "model": "Raspberry Pi 3",
    }
    before = {**record("pi1", memory_cgroup=""), "mends_memory_cgroup": True}
    assert machine_problems([before]) == []
    (problem,) = machine_problems([{**record("pi1", **told), "mends_memory_cgroup": False}])
    assert all(word in problem for word in ("kernel 5.4", "Raspberry Pi 3", "although it was told", "device tree"))


def test_fine_machines_have_no_problem() -> None:
    assert machine_problems([record("pi1"), record("pi2", cluster_member=True)]) == []
