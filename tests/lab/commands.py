# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's commands about machines, as sub-commands of ``python -m tests.lab``."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict

from tests.lab.errors import LabError
from tests.lab.lab import DEFAULT_NODES, Lab, MachineStatus


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    up = commands.add_parser("up", help="start machines, creating those that do not exist")
    up.add_argument("nodes", nargs="*", metavar="NODE", help=f"default: {' '.join(DEFAULT_NODES)}")
    up.add_argument("--fresh", action="store_true", help="begin with newly written disks")
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="stop and remove everything of this lab")
    down.add_argument("--keep-disks", action="store_true", help="leave the disks for a later up")
    down.set_defaults(run=_down)

    status = commands.add_parser("status", help="show the machines")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)

    ssh = commands.add_parser("ssh", help="log in to a machine, or run a command on it")
    ssh.add_argument("node", metavar="NODE")
    ssh.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    ssh.set_defaults(run=_ssh)

    for name, text, action in (
        ("reboot", "reboot a machine and wait until it answers", Lab.reboot),
        ("power-cut", "cut a machine's power; its disk stays as it is", Lab.power_cut),
        ("start", "switch a machine on", Lab.start),
        ("wipe", "give a machine a newly written disk and boot it", Lab.wipe),
    ):
        parser = commands.add_parser(name, help=text)
        parser.add_argument("node", metavar="NODE")
        parser.set_defaults(run=lambda arguments, action=action: action(_lab(arguments), arguments.node))


def table(rows: Sequence[MachineStatus]) -> str:
    """The status for people."""
    lines = [("NODE", "ADDRESS", "STATE", "SSH", "MEMORY")]
    for row in rows:
        memory = "-" if row.memory_mib is None else f"{row.memory_mib} MiB"
        lines.append((row.node, row.address, row.state, "yes" if row.ssh else "no", memory))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _lab(arguments: argparse.Namespace) -> Lab:
    return Lab(arguments.lab)


def _up(arguments: argparse.Namespace) -> None:
    lab = _lab(arguments)
    lab.up(arguments.nodes or DEFAULT_NODES, fresh=arguments.fresh)
    print(table(lab.status()))


def _down(arguments: argparse.Namespace) -> None:
    _lab(arguments).down(keep_disks=arguments.keep_disks)


def _status(arguments: argparse.Namespace) -> None:
    rows = _lab(arguments).status()
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(table(rows) if rows else "no machines; start some with: python -m tests.lab up")


def _ssh(arguments: argparse.Namespace) -> None:
    machine = _lab(arguments).existing(arguments.node)
    if not machine.is_on:
        raise LabError(f"{machine.name} is off; switch it on with: python -m tests.lab start {machine.name}")
    # The terminal, the exit status and the signals are ssh's own from here.
    os.execvp("ssh", [*machine.ssh_command(), machine.name, *arguments.command])
