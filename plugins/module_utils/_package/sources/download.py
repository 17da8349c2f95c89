# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What was fetched is verified against the lock file and kept by its digest."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..._errors import FetchError
from ..._kube.patience import Clock
from .lock import Lock, read_lock, write_lock

if TYPE_CHECKING:
    from .transfer import Answer


@dataclass
class Downloads:
    """`mirrors` maps the beginning of an address to a folder or to another address; the lock knows the real address."""

    folder: Path
    clock: Clock
    lock_file: Path | None = None
    mirrors: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str], None] = lambda _line: None
    may_write_lock: bool = True
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def get(self, address: str) -> bytes:
        """The bytes behind an address, the same ones that the lock file knows."""
        return self.pinned(address, lambda: self.fresh(address).content)

    def pinned(self, address: str, fetch: Callable[[], bytes]) -> bytes:
        """What an address of any kind stands for, fetched only where it is not at hand yet."""
        wanted = self._lock().digests.get(address, "")
        kept = self.kept(wanted)
        if kept is not None:
            return kept
        raw = fetch()
        digest = hashlib.sha256(raw).hexdigest()
        if wanted and digest != wanted:
            raise FetchError(
                f"{address} is not what it was: the lock file {self.lock_file} says sha256:{wanted},"
                f" now it is sha256:{digest}. Somebody replaced the file upstream; look at what changed,"
                " then remove its line from the lock file to accept it",
                reason="digest_mismatch",
            )
        self.keep(raw)
        if not wanted:
            self._note(address, digest)
        return raw

    def fresh(self, address: str, headers: Mapping[str, str] | None = None, *, quiet: bool = False) -> Answer:
        """What is behind an address now, whatever the lock file says; for what is verified in another way."""
        # What talks HTTP is imported where it is needed: a run that has everything starts without it.
        from .transfer import Answer, Transfer  # noqa: PLC0415

        place = self.mirrored(address)
        if "://" not in place:
            return Answer(_read(Path(place).expanduser(), address))
        if not quiet:
            self.report(f"downloading {place}")
        return Transfer(place, self.clock, self.report, headers or {}).run()

    def mirrored(self, address: str) -> str:
        """Where an address is to be asked for; a folder of the controller is a plain path."""
        for beginning in sorted(self.mirrors, key=len, reverse=True):
            if address.startswith(beginning):
                return self.mirrors[beginning].rstrip("/") + "/" + address[len(beginning) :].lstrip("/")
        return address

    def kept(self, digest: str) -> bytes | None:
        """What was fetched before and has this digest."""
        path = self.folder / "downloads" / digest
        if not digest or not path.is_file():
            return None
        raw = path.read_bytes()
        return raw if hashlib.sha256(raw).hexdigest() == digest else None

    def keep(self, raw: bytes) -> None:
        _write(self.folder / "downloads" / hashlib.sha256(raw).hexdigest(), raw, mode=0o600)

    def commit_of(self, address: str) -> str:
        """The commit that the lock file knows for a version of a repository."""
        return self._lock().commits.get(address, "")

    def note_commit(self, address: str, commit: str) -> None:
        self._update(lambda lock: lock.with_commit(address, commit))

    def _note(self, address: str, digest: str) -> None:
        self._update(lambda lock: lock.with_digest(address, digest))

    def _lock(self) -> Lock:
        if self.lock_file is None or not self.lock_file.exists():
            return Lock({})
        return read_lock(self.lock_file.read_text(encoding="utf-8"), str(self.lock_file))

    def _update(self, change: Callable[[Lock], Lock]) -> None:
        if self.lock_file is None or not self.may_write_lock:
            return
        with self._guard:
            _write(self.lock_file, write_lock(change(self._lock())).encode(), mode=0o644)


def _read(path: Path, address: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FetchError(f"The mirror of {address} has no file {path}: {error.strerror}") from error


def _write(path: Path, raw: bytes, *, mode: int) -> None:
    """Aside and renamed, so that an interrupted run leaves nothing half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".hearth-", delete=False) as file:
        file.write(raw)
        os.fchmod(file.fileno(), mode)
    Path(file.name).replace(path)
