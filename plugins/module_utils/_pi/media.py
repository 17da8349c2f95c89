# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A boot partition that no machine runs from: a mounted folder, or inside an image."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .._errors import HostError, InputError
from .block_device import describe, is_device, refuse
from .boot_files import find_boot_directory, read_text, write_text
from .image import Image, Run
from .partition_table import SECTOR, boot_partition


class Media(Protocol):
    def names(self) -> list[str]:
        """The files and folders at the top of the partition."""

    def read(self, name: str) -> str | None: ...

    def write(self, name: str, text: str) -> None: ...

    def recover(self) -> None:
        """Finish what a run that was killed had begun."""


def open_media(path: Path, run: Run) -> Media:
    if path.is_dir():
        return Folder(find_boot_directory(path, str(path)))
    if is_device(path):
        refuse(describe(path))
    elif not path.is_file():
        raise InputError(f"{path} is neither a mounted boot partition nor a card or the image of one.", path=str(path))
    if not shutil.which("mcopy"):
        raise HostError("Writing into an image needs the program mcopy; install the package mtools.")
    try:
        with path.open("rb") as image:
            size = image.seek(0, os.SEEK_END)
            image.seek(0)
            offset = boot_partition(image.read(SECTOR), size)
    except InputError as error:
        raise InputError(f"{path} is not the image of a card: {error}.", path=str(path)) from None
    except OSError as error:
        raise HostError(f"Could not read {path}: {error.strerror}.", path=str(path)) from error
    return Image(path, offset, run)


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir())

    def read(self, name: str) -> str | None:
        return read_text(self.path / name)

    def write(self, name: str, text: str) -> None:
        write_text(self.path / name, text)

    def recover(self) -> None:
        """Nothing is ever half done here."""
