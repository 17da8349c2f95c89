# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What follows from the kind of Raspberry Pi, which its chip tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The chip is what kernels and overlays are made for: a Pi 400, a CM4 and a Pi 4 are one family.
_FAMILIES = {"bcm2712": "pi5", "bcm2711": "pi4", "bcm2837": "pi3", "bcm2836": "pi2", "bcm2835": "pi1"}
_NEEDLESS = ("wifi", "bluetooth", "audio", "hdmi", "leds")

# The hardware counts to 15 s. A driver that names no limit feeds it meanwhile, and Raspberry Pi OS takes a minute then.
USUAL_WATCHDOG = 60


def family(model: str, compatible: Sequence[str]) -> str:
    """The family of a Raspberry Pi; ``unknown`` for one that is newer than this table, empty for other machines."""
    if not model.startswith("Raspberry Pi"):
        return ""
    chips = [name.partition(",")[2] for name in compatible]
    return next((_FAMILIES[chip] for chip in chips if chip in _FAMILIES), "unknown")


def has_eeprom(board: Mapping[str, Any]) -> bool:
    """Only these boot from a chip whose settings can be changed."""
    return board["family"] in {"pi4", "pi5"}


def boot_request(board: Mapping[str, Any], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """The options of module boot_config: what the role's parameters mean for this board."""
    off = [what for what in _NEEDLESS if what in wishes["disable"]]
    own = wishes["command_line"]
    present: dict[str, Any] = {}
    if wishes["memory_cgroup"]:
        present["cgroup_enable"] = ["memory"]
    if "hdmi" in off:
        present["video"] = ["HDMI-A-1:d", "HDMI-A-2:d"]
    sections = [*_switched_off(board, off), *_page_size(board, wishes["page_size"]), *wishes["config"]]
    return {
        "command_line": {"present": {**present, **own.get("present", {})}, "absent": list(own.get("absent", []))},
        "config": _by_filter(sections),
    }


def _switched_off(board: Mapping[str, Any], off: Sequence[str]) -> list[dict[str, Any]]:
    newest = board["family"] == "pi5"
    suffix = "-pi5" if newest else ""
    names = {"wifi": f"disable-wifi{suffix}", "bluetooth": f"disable-bt{suffix}"}
    overlays: dict[str, dict[str, str]] = {names[what]: {} for what in off if what in names}
    parameters: dict[str, Any] = {"audio": False} if "audio" in off else {}
    if "leds" in off:
        parameters |= {"act_led_trigger": "none", "act_led_activelow": False, "pwr_led_activelow": False}
    return [
        *([{"filter": "all", "device_tree": parameters}] if parameters else []),
        *([{"filter": "pi5" if newest else "all", "overlays": overlays}] if overlays else []),
    ]


def _page_size(board: Mapping[str, Any], size: str) -> list[dict[str, Any]]:
    """Only a Pi 5 has a choice: its own kernel has 16 KiB pages, the one of the others 4 KiB."""
    if not size or board["family"] != "pi5":
        return []
    return [{"filter": "pi5", "settings": {"kernel": "kernel8.img" if size == "4k" else None}}]


def _by_filter(sections: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put the settings under one filter together, as boot_config wants them; what the operator wrote comes last."""
    parts = ("settings", "device_tree", "overlays")
    merged: dict[str, dict[str, Any]] = {}
    for section in sections:
        name = section.get("filter") or "all"
        entry = merged.setdefault(name, {"filter": name, **{part: {} for part in parts}})
        for part in parts:
            entry[part] |= section.get(part) or {}
    return list(merged.values())
