# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be mended before anything is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.preflight import (
    fleet_problems,
    machine_problems,
    restore_problems,
    same_machine,
)


def record(name: str, *, host: dict[str, Any] | None = None, k3s: dict[str, Any] | None = None, **own: Any) -> Any:
    usual_host = {
        "machine_id": f"machine-{name}",
        "boot_id": f"boot-{name}",
        "architecture": "aarch64",
        "memory_cgroup": "v2",
        "command_line_file": "/boot/firmware/cmdline.txt",
        "kernel_command_line": "root=/dev/mmcblk0p2",
        "time": {"offset": 0.1},
    }
    usual_k3s = {"role": "server", "installed_roles": ["server"], "token_matches": None, "token_changes": False}
    return {
        "name": name,
        "role": "server",
        "node_name": name,
        "problems": [],
        **own,
        "probe": {"host": {**usual_host, **(host or {})}, "k3s": {**usual_k3s, **(k3s or {})}},
    }


def test_machines_that_differ_in_everything_are_fine() -> None:
    assert fleet_problems([record("pi1"), record("pi2")]) == []
    assert machine_problems(record("pi1"), token_given=True) == []


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"host": {"machine_id": "same"}}, ["pi1 and pi2", "machine-id", "systemd-machine-id-setup"]),
        ({"node_name": "raspberrypi"}, ["pi1 and pi2", "node name raspberrypi"]),
    ],
)
def test_what_two_machines_must_not_share(difference: dict[str, Any], words: list[str]) -> None:
    problems = fleet_problems([record("pi1", **difference), record("pi2", **difference), record("pi3")])
    assert len(problems) == 1
    assert all(word in problems[0] for word in words)


def test_two_names_for_one_machine_are_told_before_all_else() -> None:
    (problem,) = same_machine([("pi1", "boot"), ("pi2", "other"), ("pi9", "boot")])
    assert all(word in problem for word in ("pi1 and pi9", "one and the same machine", "ansible_host"))


def test_clocks_that_differ_too_much_are_named() -> None:
    (problem,) = fleet_problems([record("pi1"), record("pi2", host={"time": {"offset": 3600.0}})])
    assert "pi2 is 3600 seconds ahead of that of pi1" in problem


def test_a_slow_connection_is_no_wrong_clock() -> None:
    assert fleet_problems([record("pi1"), record("pi2", host={"time": {"offset": 20.0}})]) == []


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"host": {"architecture": "armv6l"}}, ["pi1", "armv6l", "ARMv6"]),
        ({"host": {"memory_cgroup": ""}}, ["pi1", "cgroup_enable=memory", "/boot/firmware/cmdline.txt"]),
        ({"k3s": {"installed_roles": ["agent"]}}, ["agent", "server", "remove_node", "node=pi1"]),
        ({"k3s": {"token_matches": False}}, ["pi1", "k3s_token", "hearth.cluster.rotate_token"]),
        ({"k3s": {"token_changes": True}}, ["pi1", "cut short", "hearth.cluster.rotate_token"]),
    ],
)
def test_what_keeps_k3s_from_one_machine(difference: dict[str, Any], words: list[str]) -> None:
    (problem,) = machine_problems(record("pi1", **difference), token_given=True)
    assert all(word in problem for word in words)


def test_no_token_given_is_no_other_token() -> None:
    assert machine_problems(record("pi1", k3s={"token_matches": False}), token_given=False) == []


@pytest.mark.parametrize("difference", [{"token_matches": False}, {"token_changes": True}])
def test_whoever_changes_the_token_may_find_another_one(difference: dict[str, Any]) -> None:
    assert machine_problems(record("pi1", k3s=difference), token_given=True, token_may_change=True) == []


def noted(name: str, *, in_place: bool | None, live: bool = False) -> Any:
    note = {} if in_place is None else {"backup": "20261127T030000Z", "in_place": in_place}
    return record(name, k3s={"restore": note, "api": {"ready": live}})


@pytest.mark.parametrize("live", [True, False])
def test_a_restore_whose_data_are_in_place_is_finished_or_given_up(live: bool) -> None:
    records = [noted("pi1", in_place=True, live=live), noted("pi2", in_place=False), noted("pi3", in_place=None)]
    (problem,) = restore_problems(records)
    assert problem.startswith(
        "the restore of 20261127T030000Z is not over on pi1: finish it with hearth.cluster.restore"
    )
    assert "remove /var/lib/hearth/restore.json there" in problem


def test_no_cluster_is_begun_on_servers_that_a_restore_has_cleared() -> None:
    (problem,) = restore_problems([noted("pi1", in_place=None), noted("pi2", in_place=False)])
    assert problem.startswith("a restore of 20261127T030000Z stands half-done on pi2: finish it")
    assert "server-before-restore-*" in problem


def test_what_a_restore_that_ended_has_left_beside_a_cluster_means_nothing() -> None:
    assert restore_problems([noted("pi1", in_place=None, live=True), noted("pi2", in_place=False)]) == []
    assert restore_problems([noted("pi1", in_place=None)]) == []
