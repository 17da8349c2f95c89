# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. From what was seen of a Raspberry Pi and what is wanted of it to one value: the plan.

Everything in it is empty for a machine that is no Raspberry Pi.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._errors import InputError
from .board import USUAL_WATCHDOG, boot_request, has_eeprom
from .eeprom import with_boot_order
from .firewall import TABLE, ruleset
from .fstab import with_noatime, without_swap
from .health import complaints
from .kernels import boot_problem

Facts = Mapping[str, Any]
File = dict[str, Any]

FSTAB = "/etc/fstab"
WATCHDOG = "/etc/systemd/system.conf.d/90-hearth.conf"
JOURNAL = "/etc/systemd/journald.conf.d/99-hearth.conf"
LOGS = "/etc/rancher/k3s/config.yaml.d/10-raspberry-pi.yaml"
UPGRADES = "/etc/apt/apt.conf.d/52hearth-upgrades"
FIREWALL = "/etc/hearth/firewall.nft"
FIREWALL_UNIT = "/etc/systemd/system/hearth-firewall.service"

_HEADER = "# Written by hearth.cluster.raspberry_pi; changes made here are lost.\n"
_WEARS_OUT = {"sd", "emmc"}

_SSH_RULES = f"""{_HEADER}PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitEmptyPasswords no
X11Forwarding no
"""

# The origins are added to the distribution's own list. Raspberry Pi's repository has no suite to go by.
_UPGRADE_RULES = """APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Origins-Pattern {
    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security";
    "origin=Raspbian,codename=${distro_codename}";
    "origin=Raspberry Pi Foundation,codename=${distro_codename}";
};
// A node is started again by the cluster's own order, never by itself.
Unattended-Upgrade::Automatic-Reboot "false";
"""

# The reload is for people: the role tells a firewall that is up its new rules before it writes them.
_FIREWALL_SERVICE = f"""[Unit]
Description=Rules for what reaches this node itself
Wants=network-pre.target
Before=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {FIREWALL}
ExecReload=/usr/sbin/nft --file {FIREWALL}
ExecStop=/usr/sbin/nft delete table inet {TABLE}

[Install]
WantedBy=multi-user.target
"""


def plan_settings(host: Facts, board: Facts, wishes: Facts) -> dict[str, Any]:
    """What is to be done on one machine, for the role's tasks."""
    if not board:
        return {**_NOTHING, "files": _fstab(host, {**wishes, "noatime": False})}
    watchdog = _watchdog_seconds(host, board, wishes)
    storage = _journal_storage(board, wishes)
    return {
        "files": [
            *_fstab(host, wishes),
            _ours(WATCHDOG, watchdog > 0, f"[Manager]\nRuntimeWatchdogSec={watchdog}\nRebootWatchdogSec=2min\n"),
            _journal(storage),
            *_log_limits(wishes),
            _ours(UPGRADES, wishes["unattended_upgrades"], _UPGRADE_RULES, comment="//"),
            *_firewall(wishes),
        ],
        "boot": boot_request(board, wishes),
        "packages": _packages(wishes),
        "remount": bool(wishes["noatime"] and not host["container"] and "noatime" not in board["root_options"]),
        "watchdog": watchdog if watchdog != board["watchdog"]["running"] else 0,
        "journal_outdated": board["journal_outdated"] and storage != "unmanaged",
        "ssh": _ssh(board, wishes),
        "frees_ssh": bool(board["ssh"]["drop_in"] and not wishes["ssh_hardening"]),
        "firewall": _firewall_step(board, wishes),
        "firewall_rules": _other_rules(board, wishes),
        "eeprom": _eeprom(board, wishes),
        "eeprom_update": bool(has_eeprom(board) and wishes["eeprom_update"] and board["eeprom"]["outdated"]),
        "complaints": [*complaints(board), *filter(None, [boot_problem(host["kernel_state"])])],
    }


def settings_problems(board: Facts, wishes: Facts) -> list[str]:
    """What of the parameters cannot be had, told before anything is changed."""
    if not board:
        return []
    checks: list[Callable[[], str]] = [
        lambda: _radio_silence(board, wishes),
        lambda: _lockout(board, wishes),
        lambda: ruleset(wishes["firewall_trusted"], wishes["firewall_open"]) and "",
        lambda: with_boot_order("", wishes["eeprom_boot_order"] or "0xf41") and "",
        lambda: _isolation(wishes),
    ]
    return [problem for problem in map(_problem, checks) if problem]


def _problem(check: Callable[[], str]) -> str:
    try:
        return check()
    except InputError as error:
        return str(error)


def _radio_silence(board: Facts, wishes: Facts) -> str:
    if "wifi" not in wishes["disable"] or not board["uplink"].startswith("wlan"):
        return ""
    return (
        f"raspberry_pi_disable would switch off the Wi-Fi by which the machine is reached ({board['uplink']}): connect "
        "the cable first, or take wifi out of raspberry_pi_disable"
    )


def _lockout(board: Facts, wishes: Facts) -> str:
    ssh = board["ssh"]
    if not wishes["ssh_hardening"]:
        return ""
    if not ssh["keys"]:
        return (
            f"raspberry_pi_ssh_hardening would lock {ssh['user']} out, who has no key in ~/.ssh/authorized_keys: give "
            "the key first, for example with ssh-copy-id"
        )
    if not ssh["includes"]:
        return (
            "raspberry_pi_ssh_hardening has no effect: /etc/ssh/sshd_config does not include "
            "/etc/ssh/sshd_config.d/*.conf; add that line at its head"
        )
    return ""


def _isolation(wishes: Facts) -> str:
    if not wishes["firewall"] or wishes["firewall_trusted"]:
        return ""
    return (
        "raspberry_pi_firewall would cut the nodes off from each other: name their networks in "
        "raspberry_pi_firewall_trusted, such as [192.168.1.0/24]"
    )


_NOTHING: dict[str, Any] = {
    "files": [],
    "boot": {},
    "packages": [],
    "remount": False,
    "watchdog": 0,
    "journal_outdated": False,
    "ssh": "",
    "frees_ssh": False,
    "firewall": "",
    "firewall_rules": "",
    "eeprom": "",
    "eeprom_update": False,
    "complaints": [],
}


def _ours(path: str, wanted: bool, text: str, comment: str = "#") -> File:
    """A file of the role: there if it is wanted, gone if it no longer is."""
    header = f"{comment} Written by hearth.cluster.raspberry_pi; changes made here are lost.\n"
    return {"path": path, "content": header + text, "mode": "0644", "state": "file" if wanted else "absent"}


def _fstab(host: Facts, wishes: Facts) -> list[File]:
    before = host["fstab"]
    after = before if wishes["swap"] or host["container"] else without_swap(before)
    after = with_noatime(after) if wishes["noatime"] else after
    return [{"path": FSTAB, "content": after}] if after != before else []


def _watchdog_seconds(host: Facts, board: Facts, wishes: Facts) -> int:
    """The longest that the board allows; 0 leaves the watchdog as it is."""
    if not wishes["watchdog"] or host["container"] or not board["watchdog"]["present"]:
        return 0
    # Never shorter than what is in force: systemd on a small board is busy for many seconds at times.
    return int(max(board["watchdog"]["longest"] or USUAL_WATCHDOG, board["watchdog"]["running"]))


def _journal_storage(board: Facts, wishes: Facts) -> str:
    """In memory where writing wears the medium out, on disk elsewhere; left alone where the medium is not known."""
    kind, wanted = board["medium"]["kind"], wishes["journal"]
    if wanted != "auto":
        return str(wanted)
    return "volatile" if kind in _WEARS_OUT else "persistent" if kind in {"usb", "nvme"} else "unmanaged"


def _journal(storage: str) -> File:
    limit = "SystemMaxUse=200M" if storage == "persistent" else "RuntimeMaxUse=64M"
    return _ours(JOURNAL, storage != "unmanaged", f"[Journal]\nStorage={storage}\n{limit}\n")


def _log_limits(wishes: Facts) -> list[File]:
    size, files = wishes["container_log_size"], wishes["container_log_files"]
    arguments = [f"container-log-max-size={size}", f"container-log-max-files={files}"]
    text = "".join(["kubelet-arg+:\n", *(f"  - {argument}\n" for argument in arguments)])
    return [{**_ours(LOGS, bool(size), text), "mode": "0600"}]


def _packages(wishes: Facts) -> list[str]:
    needed = {"unattended-upgrades": wishes["unattended_upgrades"], "nftables": wishes["firewall"]}
    return [name for name, wanted in needed.items() if wanted]


def _ssh(board: Facts, wishes: Facts) -> str:
    """What to write for sshd; empty if it is there for good, or nobody asked."""
    ssh = board["ssh"]
    kept = ssh["drop_in"] == _SSH_RULES and not ssh["on_trial"]
    return _SSH_RULES if wishes["ssh_hardening"] and not kept else ""


def _firewall(wishes: Facts) -> list[File]:
    wanted = bool(wishes["firewall"])
    rules = ruleset(wishes["firewall_trusted"], wishes["firewall_open"]) if wanted else ""
    return [_ours(FIREWALL, wanted, rules), _ours(FIREWALL_UNIT, wanted, _FIREWALL_SERVICE)]


def _firewall_step(board: Facts, wishes: Facts) -> str:
    if wishes["firewall"]:
        return "" if board["firewall"]["active"] else "on"
    return "off" if board["firewall"]["active"] else ""


def _other_rules(board: Facts, wishes: Facts) -> str:
    """What a firewall that is up has not been told yet. Its file says what it was told, and is written after that."""
    if not wishes["firewall"] or not board["firewall"]["active"]:
        return ""
    rules = str(_firewall(wishes)[0]["content"])
    return rules if rules != board["firewall"]["rules"] else ""


def _eeprom(board: Facts, wishes: Facts) -> str:
    """The settings to apply; empty if they are in force, or nobody asked."""
    before = board["eeprom"]["config"]
    if not wishes["eeprom_boot_order"] or not has_eeprom(board) or not before:
        return ""
    after = with_boot_order(before, wishes["eeprom_boot_order"])
    return after if after != before else ""
