# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The options of the faces, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .._kube.options import cluster_for, real_clock, surroundings_now
from .install import Installer
from .release.process import this_runner
from .release.turns import Turns
from .sources.cache import ParsedFiles, cache_folder
from .sources.download import Downloads
from .sources.fetch import Fetcher

# What describes a package; the same names are keys of an entry of `packages`.
PACKAGE: Mapping[str, Any] = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "previous"]},
    "source": {"type": "dict"},
    "values": {"type": "raw"},
    "namespace": {"type": "str"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "images": {"type": "dict"},
    "replicas": {"type": "dict"},
    "config_maps": {"type": "list", "elements": "dict"},
    "secrets": {"type": "list", "elements": "dict", "no_log": False},  # the values are hidden, the names are not
    "patches": {"type": "list", "elements": "dict"},
    "wait": {"type": "bool"},
    "wait_timeout": {"type": "int"},
    "healthy": {"type": "list", "elements": "dict"},
    "prune": {"type": "bool"},
    "prune_also": {"type": "list", "elements": "str"},
    "force": {"type": "raw"},
    "recreate": {"type": "bool"},
    "on_failure": {"type": "str", "choices": ["stop", "rollback"]},
}

# How a run is told what to look at, and where to say how far it is.
RUN: Mapping[str, Any] = {
    "packages": {"type": "list", "elements": "dict"},
    "only": {"type": "list", "elements": "str", "default": []},
    "search_path": {"type": "list", "elements": "path", "default": []},
    "lock_file": {"type": "path"},
    "mirrors": {"type": "dict", "default": {}},
    "progress_file": {"type": "path"},
}


def entries_of(params: Mapping[str, Any]) -> Sequence[Any]:
    """The packages that the options describe: the list, or the one that they describe directly."""
    if params["packages"] is not None:
        entries: Sequence[Any] = params["packages"]
        return entries
    return [{name: params[name] for name in PACKAGE if params[name] is not None}]


def installer_for(params: Mapping[str, Any], *, check: bool, report: Callable[[str], None]) -> Installer:
    """Wire an installer with the real cluster, disk and clock."""
    clock, cluster = real_clock(), cluster_for(params)
    search_path = tuple(Path(folder).expanduser() for folder in params["search_path"]) or (Path.cwd(),)
    downloads = Downloads(
        cache_folder(),
        clock,
        lock_file=Path(params["lock_file"]) if params["lock_file"] else None,
        mirrors=params["mirrors"],
        report=report,
        may_write_lock=not check,
    )
    return Installer(
        cluster=cluster,
        fetcher=Fetcher(search_path, ParsedFiles(cache_folder()), downloads),
        clock=clock,
        surroundings=lambda: surroundings_now(cluster),
        turns=Turns(cluster, clock, this_runner(), report),
        report=report,
        check=check,
    )
