# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Image archives on a machine, under names that change with their content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PREFIX = "hearth-"  # marks the archives that are ours to remove
_SUFFIXES = (".tar.zst", ".tar.gz", ".tar.bz2", ".tar.lz4", ".tzst", ".tgz", ".tbz", ".tar")


def archive_name(name: str, sha256: str) -> str:
    """Name an archive after its content: a machine that has the name has the content. k3s goes by the suffix."""
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return f"{PREFIX}{name.removesuffix(suffix)}-{sha256[:16]}{suffix}"


def archive_changes(
    archives: Sequence[Mapping[str, str]], present: Sequence[str], directory: str
) -> dict[str, list[dict[str, str]]]:
    """Say which image archives a machine lacks, and which of ours it should no longer have."""
    wanted = {archive["name"] for archive in archives}
    old = [name for name in present if name.startswith(PREFIX) and name not in wanted]
    return {
        "missing": [dict(archive) for archive in archives if archive["name"] not in present],
        "old": [{"path": f"{directory}/{name}", "state": "absent"} for name in old],
    }
