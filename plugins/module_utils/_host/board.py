# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What only a Raspberry Pi has: its board, its sensors, its boot EEPROM, its medium."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._pi.board import family, has_eeprom
from .medium import describe_medium, file_system_errors, life_used, root_mount
from .paths import NODE_PASSWORD, Tree
from .systemd import Run, Unit, units

# A machine of its own and a container have it at different places.
_DEVICE_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
_FIREWALL_UNIT = "hearth-firewall.service"
_FIREWALL_RULES = "/etc/hearth/firewall.nft"
_SSH_DROP_IN = "/etc/ssh/sshd_config.d/10-hearth.conf"
# A file that is written or taken away there changes the directory, too.
_JOURNAL_SETTINGS = "/etc/systemd/journald.conf.d"
_JOURNAL_UNIT = "systemd-journald.service"
# While one of them is active, the machine is about to take the role's rules for sshd back.
_SSH_WAY_BACK = ("hearth-ssh-way-back.timer", "hearth-ssh-way-back.service")


def model(tree: Tree) -> str:
    return next((text for text in (_words(tree, place, "model") for place in _DEVICE_TREES) if text), [""])[0]


def describe_board(tree: Tree, run: Run, *, eeprom: bool, measure: bool) -> dict[str, Any]:
    """Return everything about a Raspberry Pi that the role decides from; nothing for another machine."""
    name = model(tree)
    chips = [word for place in _DEVICE_TREES for word in _words(tree, place, "compatible")]
    kind = family(name, chips)
    if not kind:
        return {}
    board = {"model": name, "family": kind}
    root = root_mount(tree)
    seen = units(run, [_FIREWALL_UNIT, _JOURNAL_UNIT, *_SSH_WAY_BACK])
    active = {name for name, unit in seen.items() if unit.active == "active"}
    return {
        **board,
        "medium": describe_medium(tree, root, measure=measure and not tree.has(NODE_PASSWORD)),
        "root_options": root.options,
        "uplink": _uplink(tree),
        "watchdog": _watchdog(tree, run),
        "journal_outdated": _is_outdated(tree, seen[_JOURNAL_UNIT]),
        "health": {
            "throttled": _throttled(tree, run),
            "temperature": _temperature(tree),
            "file_system_errors": file_system_errors(tree, root),
            "read_only": "ro" in root.options,
            "life_used": life_used(tree, root),
        },
        "eeprom": _eeprom(run) if eeprom and has_eeprom(board) else {"config": "", "outdated": False},
        "ssh": {**_ssh(tree), "on_trial": not active.isdisjoint(_SSH_WAY_BACK)},
        "firewall": {"active": _FIREWALL_UNIT in active, "rules": tree.text(_FIREWALL_RULES)},
    }


def _is_outdated(tree: Tree, journal: Unit) -> bool:
    """Whether journald has been running since before the last change of its settings."""
    changed_at = tree.written_at(_JOURNAL_SETTINGS)
    return changed_at is not None and journal.started_at is not None and changed_at > journal.started_at


def _words(tree: Tree, place: str, name: str) -> list[str]:
    """The strings of a property of the device tree."""
    return [word.strip() for word in tree.text(f"{place}/{name}").split("\0") if word.strip()]


def _uplink(tree: Tree) -> str:
    """The interface of the best default route, which is the one that the machine is reached by as a rule."""
    rows = [line.split() for line in tree.text("/proc/net/route").splitlines()[1:]]
    defaults = [(int(row[6]), row[0]) for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]
    return min(defaults)[1] if defaults else ""


def _watchdog(tree: Tree, run: Run) -> dict[str, Any]:
    _code, said, _error = run(["systemctl", "show", "--property=RuntimeWatchdogUSec", "--value"])
    longest = tree.text("/sys/class/watchdog/watchdog0/max_timeout").strip()
    return {
        "present": tree.has("/sys/class/watchdog/watchdog0"),
        "longest": int(longest) if longest.isdigit() else 0,
        "running": _seconds(said.strip()),
    }


def _seconds(text: str) -> int:
    """systemd's ``1min 30s``; 0 for ``infinity``, ``off`` and what is shorter than a second."""
    units_of_time = {"s": 1, "min": 60, "h": 3600}
    total = 0
    for word in text.split():
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        total += int(number) * units_of_time.get(word[len(number) :], 0) if number.isdigit() else 0
    return total


def _throttled(tree: Tree, run: Run) -> int | None:
    from_driver = tree.text("/sys/devices/platform/soc/soc:firmware/get_throttled").strip()
    if from_driver:
        return _hexadecimal(from_driver)
    code, said, _error = _if_there(run, ["vcgencmd", "get_throttled"])
    return _hexadecimal(said.partition("=")[2].strip()) if code == 0 else None


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _temperature(tree: Tree) -> float | None:
    text = tree.text("/sys/class/thermal/thermal_zone0/temp").strip()
    return int(text) / 1000 if text.lstrip("-").isdigit() else None


def _eeprom(run: Run) -> dict[str, Any]:
    """Asked only on request: each of the two programs takes a while."""
    code, config, _error = _if_there(run, ["rpi-eeprom-config"])
    outdated, _said, _trouble = _if_there(run, ["rpi-eeprom-update"])
    return {"config": config if code == 0 else "", "outdated": outdated == 1}


def _if_there(run: Run, command: Sequence[str]) -> tuple[int, str, str]:
    """Run a program that may not be installed."""
    places = ("/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin")
    if not any(Path(place, command[0]).exists() for place in places):
        return 127, "", ""
    return run(list(command))


def _ssh(tree: Tree) -> dict[str, Any]:
    user = os.environ.get("SUDO_USER") or "root"
    try:
        home = pwd.getpwnam(user).pw_dir
    except KeyError:
        home = "/root"
    lines = tree.text(f"{home}/.ssh/authorized_keys").splitlines()
    includes = (line.split() for line in tree.text("/etc/ssh/sshd_config").splitlines())
    return {
        "user": user,
        "keys": any(line.strip() and not line.lstrip().startswith("#") for line in lines),
        "includes": any(words[:2] == ["Include", "/etc/ssh/sshd_config.d/*.conf"] for words in includes),
        "drop_in": tree.text(_SSH_DROP_IN),
    }
