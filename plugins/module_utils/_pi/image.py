# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The FAT partition inside the image of a card, through mtools: no root, no mount."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._errors import HostError

Run = Callable[..., tuple[int, Any, Any]]  # AnsibleModule.run_command
_ENCODING = ("utf-8", "surrogateescape")
_FRESH, _ROOM, _WHOLE = ".hearth-new", ".hearth-room", ".hearth-whole"


@dataclass(frozen=True, slots=True)
class Image:
    """A FAT partition at an offset of a file.

    mtools cannot replace a file in one step without changing the case of its name. So the new content is written beside
    it, read back, and renamed as whole; then it is what counts, and the next run finishes what a killed one left.
    """

    path: Path
    offset: int
    run: Run

    def names(self) -> list[str]:
        code, listed, error = self._call("mdir", "-b", "::")
        if code:
            raise self._trouble("mdir", error)
        return sorted(line.removeprefix("::/").rstrip("/") for line in listed.decode(*_ENCODING).splitlines())

    def read(self, name: str) -> str | None:
        content = self._content(name + _WHOLE)
        content = self._content(name) if content is None else content
        return None if content is None else content.decode(*_ENCODING)

    def write(self, name: str, text: str) -> None:
        if not self.path.stat().st_mode & 0o200:
            raise HostError(f"Could not write {name} into {self.path}: the image is read-only.", path=str(self.path))
        content = text.encode(*_ENCODING)
        try:
            self._copy("-", name + _FRESH, content, given=True)
            self._copy(f"::{name}{_FRESH}", name + _ROOM, content)  # the last step must not find the partition full
            self._must("mdel", f"::{name}{_ROOM}")
            self._must("mren", "-D", "o", f"::{name}{_FRESH}", f"::{name}{_WHOLE}")
        except HostError:
            self._call("mdel", f"::{name}{_FRESH}")
            self._call("mdel", f"::{name}{_ROOM}")
            raise
        self._finish(name)
        self._keep()

    def recover(self) -> None:
        for name in self.names():
            if name.lower().endswith(_WHOLE):
                self._finish(name[: -len(_WHOLE)])

    def _keep(self) -> None:
        """A card may be pulled out as soon as the run has ended."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _finish(self, name: str) -> None:
        whole = self._content(name + _WHOLE)
        if whole is not None:
            self._copy(f"::{name}{_WHOLE}", name, whole)
            self._must("mdel", f"::{name}{_WHOLE}")

    def _copy(self, source: str, name: str, content: bytes, *, given: bool = False) -> None:
        code, _output, error = self._call("mcopy", "-D", "o", source, f"::{name}", data=content if given else None)
        # On a full partition mcopy says so and ends as if all were well.
        if code or self._content(name) != content:
            raise self._trouble("mcopy", error)

    def _content(self, name: str) -> bytes | None:
        code, content, _error = self._call("mcopy", "-n", f"::{name}", "-")
        return content if code == 0 else None

    def _must(self, *command: str) -> None:
        code, _output, error = self._call(*command)
        if code:
            raise self._trouble(command[0], error)

    def _trouble(self, program: str, error: bytes) -> HostError:
        said = error.decode(errors="replace").strip() or "no reason given"
        if "No space left" in said or "full" in said:
            said = "the boot partition is full; delete what does not belong there, such as old kernels"
        return HostError(f"{program} failed on {self.path}: {said.splitlines()[-1]}.", path=str(self.path))

    def _call(self, *command: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
        program, *arguments = command
        return self.run(
            [program, "-i", f"{self.path}@@{self.offset}", *arguments],
            data=data,
            binary_data=True,
            encoding=None,
            # The user's own configuration could give drives and checks another meaning.
            environ_update={"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"},
        )
