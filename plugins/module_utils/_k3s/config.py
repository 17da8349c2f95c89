# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What may stand in k3s' configuration, and what of it is secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Keys whose values let somebody into the cluster or its data; they go to a file of their own that no diff shows.
SECRET_KEYS = frozenset(
    {
        "agent-token",
        "datastore-endpoint",
        "etcd-s3-access-key",
        "etcd-s3-secret-key",
        "etcd-s3-session-token",
        "vpn-auth",
    }
)

# Keys that the role decides itself, with the parameter to use instead.
_OWNED = {
    "server": "k3s_server_url",
    "token": "k3s_token",
    "token-file": "k3s_token",
    "data-dir": "k3s_data_dir",
    "datastore-endpoint": "k3s_datastore_endpoint",
}
_DANGEROUS = {
    "cluster-reset": "k3s would reset its cluster at every start",
    "cluster-reset-restore-path": "k3s would restore the snapshot at every start",
}


def config_problems(config: Mapping[str, Any], parameter: str) -> list[str]:
    """Return one sentence for each key that must not be set through a free dictionary."""
    owned = [
        f"{parameter} sets {key!r}, which the role decides itself; use {_OWNED[key]} instead"
        for key in sorted(config.keys() & _OWNED.keys())
    ]
    dangerous = [
        f"{parameter} sets {key!r}: {_DANGEROUS[key]}; take it out" for key in sorted(config.keys() & _DANGEROUS.keys())
    ]
    return owned + dangerous


def split_secrets(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a configuration into what may be shown and what may not."""
    shown = {key: value for key, value in config.items() if key not in SECRET_KEYS}
    secret = {key: value for key, value in config.items() if key in SECRET_KEYS}
    return shown, secret


def scalar(text: str, key: str) -> str:
    """Read one top-level scalar of a configuration file.

    A machine need not have a YAML library, and the one or two keys asked for here are always plain words.
    """
    match = re.search(rf"^{re.escape(key)}:[ \t]+(?P<value>\S.*?)[ \t]*$", text, flags=re.MULTILINE)
    return match["value"].strip("'\"") if match else ""
