# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program of the lab is made of: sources, package, flags. Together they give the key under which it is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.lab.paths import cache_directory
from tests.lab.requirements import GO, Requirement, command

C_COMPILER = (command("gcc", "gcc", "libc6-dev"),)


@dataclass(frozen=True)
class Recipe:
    """How one program is built. ``files`` maps paths in the build directory to sources; ``payload`` to programs."""

    name: str
    version: str
    files: Mapping[str, Path]
    package: str = "."
    linker: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cgo: bool = False
    payload: Mapping[str, Recipe] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Changes with anything that changes the program; tests of its sources do not."""
        digest = hashlib.sha256(repr((self.name, self.package, self.linker, self.tags, self.cgo)).encode())
        digest.update(self.sources.encode())
        for path, recipe in sorted(self.payload.items()):
            digest.update(f"{path}={recipe.key}".encode())
        return digest.hexdigest()[:12]

    @cached_property
    def sources(self) -> str:
        return digest_of_sources(self.files)

    @property
    def executable(self) -> Path:
        """Where the program lies once it is built."""
        return cache_directory() / "go" / self.name / f"{self.version}-{self.key}" / self.name

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        return GO + (C_COMPILER if self.cgo else ())


def digest_of_sources(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for path, source in sorted(files.items()):
        if not path.endswith("_test.go"):
            digest.update(f"{path}\0".encode() + source.read_bytes() + b"\0")
    return digest.hexdigest()
