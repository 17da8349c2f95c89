# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What must be mended before anything is changed, found by looking at all machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .machines import listed
from .release import architecture_problem

Record = Mapping[str, Any]
MAX_CLOCK_SKEW = 60.0  # seconds; certificates of a cluster are born within the first minute


def fleet_problems(records: Sequence[Record]) -> list[str]:
    """Return one sentence for each thing that two machines must not share, or not differ in."""
    return [
        *shared(records, lambda record: record["node_name"], "the node name", "give each of them a name of its own"),
        *shared(
            records,
            lambda record: record["probe"]["host"]["machine_id"],
            "the machine-id",
            "on all but one: sudo rm /etc/machine-id && sudo systemd-machine-id-setup, then reboot",
        ),
        *_skew(records),
    ]


def machine_problems(record: Record, token_given: bool, *, token_may_change: bool = False) -> list[str]:
    """Return one sentence for each thing that keeps k3s from running on one machine."""
    host, k3s = record["probe"]["host"], record["probe"]["k3s"]
    checks = (
        architecture_problem(host["architecture"]),
        memory_cgroup_problem(host),
        other_role(record),
        "" if token_may_change else _token_problem(record["name"], k3s, token_given),
    )
    return [f"{record['name']}: {problem}" for problem in checks if problem]


def memory_cgroup_problem(host: Mapping[str, Any]) -> str:
    """Say what to do about a kernel that does not account for memory."""
    if host["memory_cgroup"]:
        return ""
    if "cgroup_enable=memory" in host["kernel_command_line"].split():
        return (
            f"kernel {host['kernel']} of this {host['model'] or 'machine'} does not account for memory although it was "
            "told to, and k3s would not start: upgrade the system, take away a device tree of your own, and see that "
            f"no cgroup_disable=memory comes later (the kernel was started with: {host['kernel_command_line']})"
        )
    return (
        "the kernel runs without the memory cgroup, without which k3s does not start: append "
        f"cgroup_enable=memory to the one line of {host['command_line_file'] or '/boot/firmware/cmdline.txt'} "
        f"and reboot (the kernel was started with: {host['kernel_command_line']})"
    )


def restore_problems(records: Sequence[Record]) -> list[str]:
    """Say what a restore that is not over wants; one that was given up would give back old dumps some day.

    Before the data are in place, the servers have nothing but half of it, and a new cluster must not be begun on them.
    A note of that time means nothing beside a cluster that lives.
    """
    notes = {record["name"]: note for record in records if (note := record["probe"]["k3s"]["restore"])}
    in_place = [name for name, note in notes.items() if note["in_place"]]
    finish = "finish it with hearth.cluster.restore -e from=DIRECTORY"
    if in_place:
        return [
            f"the restore of {notes[in_place[0]]['backup']} is not over on {listed(in_place)}: {finish}; to give up "
            "what it has not put back yet, remove /var/lib/hearth/restore.json there"
        ]
    if not notes or any(record["probe"]["k3s"]["api"]["ready"] for record in records):
        return []
    return [
        f"a restore of {next(iter(notes.values()))['backup']} stands half-done on {listed(notes)}: {finish}; to give "
        "it up, remove /var/lib/hearth/restore.json there and put back what they had, which lies in "
        "server-before-restore-* in k3s' data directory"
    ]


def same_machine(boots: Sequence[tuple[str, str]]) -> list[str]:
    """Say which names lead to one machine; whatever else they have in common follows from that."""
    owners: dict[str, list[str]] = defaultdict(list)
    for name, boot in boots:
        owners[boot].append(name)
    return [
        f"{listed(names)} are one and the same machine: two names of the inventory lead to one address; "
        f"correct ansible_host"
        for names in owners.values()
        if len(names) > 1
    ]


def shared(records: Sequence[Record], key: Callable[[Record], str], what: str, remedy: str) -> list[str]:
    """Return one sentence for each value that several machines have in common."""
    owners: dict[str, list[str]] = defaultdict(list)
    for record in records:
        owners[key(record)].append(record["name"])
    return [
        f"{listed(names)} have {what} {value} in common: {remedy}"
        for value, names in owners.items()
        if value and len(names) > 1
    ]


def _skew(records: Iterable[Record]) -> list[str]:
    offsets = {
        record["name"]: record["probe"]["host"]["time"]["offset"]
        for record in records
        if record["probe"]["host"]["time"]["offset"] is not None
    }
    if not offsets:
        return []
    first, last = min(offsets, key=offsets.__getitem__), max(offsets, key=offsets.__getitem__)
    skew = offsets[last] - offsets[first]
    if skew <= MAX_CLOCK_SKEW:
        return []
    return [
        f"the clock of {last} is {skew:.0f} seconds ahead of that of {first}; certificates would not be valid yet: "
        "see on both why the time is not synchronised (timedatectl timesync-status)"
    ]


def other_role(record: Record, *, may_leave: bool = True) -> str:
    """Say what to do about a machine that has the other part in the cluster; it can leave one that lives."""
    others = [role for role in record["probe"]["k3s"]["installed_roles"] if role != record["role"]]
    if not others:
        return ""
    way = (
        f"take it out and in again: hearth.cluster.remove_node -e node={record['name']}, then "
        f"hearth.cluster.add_node -e node={record['name']}"
        if may_leave
        else f"give it a fresh card, or restore with it as {listed(others)}"
    )
    return (
        f"k3s is installed here as {listed(others)}, and the inventory wants {record['role']}: a node does not "
        f"change its part; {way}"
    )


def _token_problem(name: str, k3s: Mapping[str, Any], token_given: bool) -> str:
    if k3s["token_changes"]:
        return (
            "a change of the cluster's token was cut short, and not every machine has the new one: finish it with "
            "playbook hearth.cluster.rotate_token"
        )
    if not token_given or k3s["role"] != "server" or k3s["token_matches"] is not False:
        return ""
    return (
        "k3s_token differs from the token of the cluster that this server belongs to: to make it the cluster's, run "
        "playbook hearth.cluster.rotate_token; otherwise give k3s_token the password part of server/token in k3s' data "
        f"directory on {name}, or leave k3s_token out"
    )
