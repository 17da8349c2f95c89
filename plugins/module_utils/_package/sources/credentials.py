# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Who the operator is for a registry: what docker, podman or helm were told at login."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def basic_credentials(host: str) -> str:
    """The content of a header Authorization for a registry; empty for one that nobody has logged in to."""
    for file in _files():
        try:
            content = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        encoded = _encoded(content, host)
        if encoded:
            return f"Basic {encoded}"
    return ""


def _files() -> Iterator[Path]:
    home, environment = Path.home(), os.environ
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "helm" / "registry" / "config.json"


def _encoded(content: Any, host: str) -> str:
    logins = content.get("auths") if isinstance(content, Mapping) else None
    for name in (host, f"https://{host}", f"https://{host}/v1/"):
        login = logins.get(name) if isinstance(logins, Mapping) else None
        if isinstance(login, Mapping) and isinstance(login.get("auth"), str):
            return str(login["auth"])
    return ""
