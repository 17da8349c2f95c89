# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Releases of k3s on the controller's disk: downloaded once, verified, kept by version."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from ..module_utils._errors import FetchError, InputError
from ..module_utils._k3s.release import DEFAULT_URL, Release, UnknownVersionError, checksum_of, unknown_version

CHUNK = 1 << 20
TIMEOUT = 60  # seconds without a byte


def default_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hearth"


class ReleaseCache:
    """The files of one release below ``<directory>/k3s``.

    Releases of another server than k3s' own lie apart: under one version it may offer another binary.
    """

    def __init__(self, release: Release, directory: Path, progress: Callable[[str], None]) -> None:
        self._release = release
        place = "" if release.base_url == DEFAULT_URL else re.sub(r"[^A-Za-z0-9.-]+", "_", release.base_url)
        self._directory = directory / "k3s" / place / release.version
        self._progress = progress

    @property
    def has_checksums(self) -> bool:
        """Whether an earlier run has found that there is the release."""
        return (self._directory / self._release.checksums).exists()

    def sha256(self) -> str:
        """The checksum of the binary, from the release's own list."""
        return self._listed(self._release.binary)

    def binary(self) -> Path:
        """The binary itself, verified."""
        return self._verified(self._release.binary)

    def images(self) -> Path:
        """The archive of the images that k3s itself needs, verified."""
        return self._verified(self._release.images)

    def checksums(self) -> Path:
        """The release's own list of checksums."""
        path = self._directory / self._release.checksums
        with self._locked():
            if not path.exists():
                self._download(path, None)
        return path

    def _verified(self, name: str) -> Path:
        """A file of the release, downloaded if it is not there, and never handed out without having been verified."""
        wanted = self._listed(name)
        path = self._directory / name
        with self._locked():
            if not path.exists() or digest(path) != wanted:
                self._progress(f"downloading {self._release.url(name)}")
                self._download(path, wanted)
        return path

    def _listed(self, name: str) -> str:
        return checksum_of(self.checksums().read_text(), name)

    def _download(self, path: Path, sha256: str | None) -> None:
        """Write beside the place and rename, so that a file that is there is a whole one.

        What a run that was killed has left there is written over: nobody else is at work while the lock is held.
        """
        temporary = path.with_name(f".{path.name}.part")
        try:
            with temporary.open("wb") as file, self._open(path.name) as answer:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
            if sha256 and digest(temporary) != sha256:
                raise FetchError(
                    f"{self._release.url(path.name)} does not have the SHA-256 {sha256} that the release's "
                    f"list gives for it: the download was damaged or tampered with; run again, and mistrust "
                    f"the server if it stays so"
                )
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _open(self, name: str) -> IO[bytes]:
        url = self._release.url(name)
        try:
            answer: IO[bytes] = open_url(url, timeout=TIMEOUT, http_agent="hearth.cluster")
        except HTTPError as error:
            if error.code == 404:
                raise UnknownVersionError(unknown_version(self._release), url=url) from error
            raise FetchError(f"{url} could not be fetched: {error}", url=url) from error
        except (URLError, OSError) as error:
            raise FetchError(
                f"{url} could not be fetched: {getattr(error, 'reason', error)}; is this machine connected, and is "
                "k3s_release_url right?",
                url=url,
            ) from error
        return answer

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Ansible's workers are processes: the first of them downloads, the others wait for it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def demand_any(releases: Sequence[ReleaseCache]) -> None:
    """See that there is one of these releases; one that is on the disk already is not asked for.

    A server may refuse in any way what it does not have. That there is no such version explains most.
    """
    problems: list[FetchError] = []
    for each in sorted(releases, key=lambda one: not one.has_checksums):
        try:
            each.checksums()
        except FetchError as error:
            problems.append(error)
        else:
            return
    raise next((error for error in problems if isinstance(error, UnknownVersionError)), problems[0])


def local_file(name: str, parameter: str) -> Path:
    """A file that the operator named; one that is not there is an error of theirs."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"{parameter} names {name}, which is not a file on the controller", path=name)
    return path.absolute()


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
