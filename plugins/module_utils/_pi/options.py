# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Options that modules about boot files share; their fragment is ``_boot_files``."""

from __future__ import annotations

from typing import Any

BOOT_FILES: dict[str, Any] = {
    "command_line": {
        "type": "dict",
        "options": {
            "present": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "str", "default": []},
        },
    },
    "config": {
        "type": "list",
        "elements": "dict",
        "options": {
            "filter": {"type": "str", "default": "all"},
            "settings": {"type": "dict", "default": {}},
            "device_tree": {"type": "dict", "default": {}},
            "overlays": {"type": "dict", "default": {}},
        },
    },
}
