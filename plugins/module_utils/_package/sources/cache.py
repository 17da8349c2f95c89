# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Parsed manifests, kept by the digest of their file: JSON is read much faster.

What is kept is readable by its owner alone, and nothing that holds a Secret is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._kube.yaml import Document

# Raised whenever the reader changes what it makes of a file.
_FORMAT = "1"


def cache_folder() -> Path:
    """Where everything that is fetched or made on the controller is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "hearth"


@dataclass(frozen=True, slots=True)
class ParsedFiles:
    """A folder of parsed files; one that cannot be written or read is as good as empty."""

    folder: Path

    def find(self, raw: bytes) -> list[Document] | None:
        """What these bytes were read as before."""
        try:
            kept = json.loads(self._path(raw).read_bytes())
        except (OSError, ValueError):
            return None
        return [Document(content, line) for content, line in kept]

    def keep(self, raw: bytes, documents: Sequence[Document]) -> None:
        if any(_holds_secret(document.content) for document in documents):
            return
        path = self._path(raw)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # readable by its owner alone
                json.dump([[document.content, document.line] for document in documents], file, separators=(",", ":"))
            Path(file.name).replace(path)
        except OSError:
            return

    def find_built(self, recipe: str) -> list[Document] | None:
        """What was built by a recipe, which names everything that the result depends on."""
        return self.find(recipe.encode())

    def keep_built(self, recipe: str, documents: Sequence[Document]) -> None:
        self.keep(recipe.encode(), documents)

    def _path(self, key: bytes) -> Path:
        return self.folder / "parsed" / _FORMAT / f"{hashlib.sha256(key).hexdigest()}.json"


def _holds_secret(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    items = content.get("items")
    return content.get("kind") in ("Secret", "SecretList") or (
        isinstance(items, list) and any(_holds_secret(item) for item in items)
    )
