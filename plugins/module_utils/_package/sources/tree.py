# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Files that were fetched, as a tree: which of them are meant, and how many may be."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from ..._errors import FetchError, InputError
from ..._kube.near_miss import did_you_mean

# Files by their path below the top of what was fetched, with slashes.
Tree: TypeAlias = Mapping[str, bytes]

MANIFEST_SUFFIXES = (".json", ".yaml", ".yml")
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip")

# Far above any archive of manifests, far below what hurts the controller: a few kilobytes can hold terabytes of zeros.
LARGEST = 256 << 20
MOST_FILES = 50_000


def select(tree: Mapping[str, bytes], patterns: Sequence[str], origin: str) -> list[str]:
    """Paths that patterns meet, in the order of the patterns; without patterns everything that can be a manifest."""
    if not patterns:
        found = sorted(path for path in tree if path.endswith(MANIFEST_SUFFIXES) and not _is_hidden(path))
        if not found:
            raise InputError(f"{origin} has no file in it that ends with .yaml, .yml or .json")
        return found
    chosen: dict[str, None] = {}
    for pattern in patterns:
        refuse_outside(pattern, origin)
        matched = sorted(path for path in tree if _expression(pattern).fullmatch(path))
        if not matched:
            raise InputError(f"no file in {origin} matches {pattern!r}; {did_you_mean(pattern, tree)}")
        chosen.update(dict.fromkeys(matched))
    return list(chosen)


def below(tree: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files below a folder, by their path from there."""
    start = "" if folder in ("", ".") else folder.strip("/") + "/"
    return {path[len(start) :]: raw for path, raw in tree.items() if path.startswith(start)}


def is_archive(name: str) -> bool:
    return name.lower().endswith(_ARCHIVES)


def refuse_too_much(size: int, files: int, origin: str) -> None:
    if size > LARGEST or files > MOST_FILES:
        raise FetchError(
            f"{origin} holds more than {LARGEST >> 20} MiB or {MOST_FILES} files, which no set of manifests does;"
            " it is refused"
        )


def tree_digest(tree: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path in sorted(tree):
        digest.update(f"{path}\0{hashlib.sha256(tree[path]).hexdigest()}\n".encode())
    return digest.hexdigest()


def refuse_outside(pattern: str, origin: str) -> None:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise InputError(f"{pattern!r} leads out of {origin}; name files below it")


def kustomization_in(paths: Iterable[str]) -> str:
    """A file that says how to build what is at the top of a tree; empty where there is none."""
    return next((path for path in sorted(paths) if path in KUSTOMIZATIONS), "")


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stay within one folder, `**` spans any number of them."""
    parts = []
    for part in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]]+\])", pattern):
        special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part)
        if special is None:
            special = "[" + part[1:-1].replace("!", "^", 1) + "]" if part.startswith("[") else re.escape(part)
        parts.append(special)
    return re.compile("".join(parts))
