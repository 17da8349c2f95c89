# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a kustomization reads, as far as it must be known before it is built."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..._errors import InputError
from ..._kube.fields import sequence
from ..._kube.yaml import read_documents
from ..sources.tree import KUSTOMIZATIONS, Tree

_REMOTE = re.compile(r"://|^git@|^[\w-]+(\.[\w-]+)*\.(com|org|io|net|dev)[/:]")


def check_kustomization(tree: Tree, folder: str, origin: str) -> None:
    """Refuse a kustomization that would fetch something by itself: nobody could say what it was the next time."""
    start = posixpath.normpath(folder)
    if not any(posixpath.normpath(f"{start}/{name}") in tree for name in KUSTOMIZATIONS):
        raise InputError(f"{origin} has no kustomization.yaml in {folder!r}; correct source.kustomize")
    waiting, seen = [start], set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        for entry in _entries(tree, here, origin):
            if _REMOTE.search(entry):
                raise InputError(
                    f"{origin}: the kustomization in {here!r} takes {entry}, which could not be pinned; fetch all of it"
                    " with source.git, or install that part as a package of its own"
                )
            waiting.append(posixpath.normpath(posixpath.join(here, entry)))


def _entries(tree: Tree, folder: str, origin: str) -> Iterator[str]:
    for name in sorted(KUSTOMIZATIONS):
        path = posixpath.normpath(f"{folder}/{name}")
        if path in tree:
            text = tree[path].decode("utf-8-sig", "replace")
            content: Any = next((each.content for each in read_documents(text, f"{origin}: {path}")), None)
            if isinstance(content, Mapping):
                for field in ("resources", "bases", "components", "crds"):
                    yield from (each for each in sequence(content, field) if isinstance(each, str) and "\n" not in each)
