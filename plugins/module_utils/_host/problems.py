# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What about the machines must be mended before role raspberry_pi changes anything. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._k3s.preflight import memory_cgroup_problem, same_machine, shared

Record = Mapping[str, Any]
_HOSTNAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


def machine_problems(records: Sequence[Record]) -> list[str]:
    """Return one sentence for each problem of one machine, or of several together."""
    twins = same_machine([(record["name"], record["host"]["boot_id"]) for record in records])
    if twins:
        return twins
    own = [problem for record in records for problem in record["problems"]]
    each = [f"{record['name']}: {problem}" for record in records for problem in _problems_of(record)]
    names = shared(
        records,
        lambda record: record["hostname"],
        "the host name",
        "give each a raspberry_pi_hostname of its own, in host_vars",
    )
    return [*dict.fromkeys(own), *each, *names]


def differing_sysctls(wanted: Mapping[str, Any], live: Mapping[str, str | None]) -> list[str]:
    """Return the kernel parameters that are not as they shall be, in the form ``sysctl --write`` takes."""
    return [
        f"{name}={value}" for name, value in sorted(wanted.items()) if live.get(name) != " ".join(str(value).split())
    ]


def _problems_of(record: Record) -> list[str]:
    host, hostname = record["host"], record["hostname"]
    problems = list(record.get("wish_problems", []))
    if not record.get("mends_memory_cgroup"):
        problems.append(memory_cgroup_problem(host))
    if not _HOSTNAME.match(hostname):
        problems.append(
            f"{hostname!r} cannot be a host name; set raspberry_pi_hostname to small letters, digits and dashes"
        )
    if host["cluster_member"] and host["hostname"] != hostname:
        problems.append(
            f"this machine is a node of a cluster as {host['hostname']} and would be renamed to {hostname}: a "
            f"node does not change its name; set raspberry_pi_hostname to {host['hostname']}, or take it out "
            f"of the cluster first"
        )
    return [problem for problem in problems if problem]
