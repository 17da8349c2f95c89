# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Files of a git repository, by the program git: one commit, without its history.

The files are kept as one archive that is made the same way everywhere, so that its digest is that of what is in the
files. The lock file names the commit beside it: a tag that was moved is told as such.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from ..._errors import FetchError
from ..._kube.patience import Clock
from ..program import Done, run_program
from .archive import pack, unpack
from .download import Downloads
from .source import Repository
from .tree import Tree

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 600
_ATTEMPTS = 3
_PASSING = re.compile(
    r"Could not resolve host|timed out|Connection (was )?(reset|refused)|Failed to connect|early EOF"
    r"|unexpected disconnect|The requested URL returned error: (429|5\d\d)"
)


def fetch_git(source: Repository, downloads: Downloads) -> tuple[Tree, str]:
    """The files at a version and the key under which the lock file has them."""
    address = f"git+{source.address}@{source.version}"
    raw = downloads.pinned(address, lambda: _packed(source, address, downloads))
    return unpack(raw, str(source)), address


def _packed(source: Repository, address: str, downloads: Downloads) -> bytes:
    place = downloads.mirrored(source.address)
    downloads.report(f"fetching {place} {source.version}")
    with tempfile.TemporaryDirectory(prefix="hearth-git-") as folder:
        git = _Git(Path(folder), place, downloads.clock)
        git.run("init", "--quiet", "--bare", ".")
        # What a project leaves out of its release archives may be just what is wanted.
        (Path(folder) / "info").mkdir(exist_ok=True)
        (Path(folder) / "info" / "attributes").write_text("* -export-ignore -export-subst\n", encoding="utf-8")
        commit = git.fetch(source.version)
        wanted = downloads.commit_of(address)
        if wanted and commit != wanted:
            raise FetchError(
                f"{source} is not what it was: the lock file {downloads.lock_file} says commit {wanted}, now it is"
                f" commit {commit}. Somebody moved {source.version} upstream; look at what changed, then remove both of"
                " its lines from the lock file to accept it",
                reason="digest_mismatch",
            )
        # The archive is taken apart and put together again, because git's own differs between versions of git.
        raw = pack(unpack(git.run("archive", "--format=tar", commit), str(source)).items())
    if not wanted:
        downloads.note_commit(address, commit)
    return raw


class _Git:
    """The program git in a folder of its own, without a terminal to ask for passwords at."""

    def __init__(self, folder: Path, remote: str, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._remote = str(Path(remote).expanduser()) if "://" not in remote else remote

    def fetch(self, version: str) -> str:
        """Bring a version into the folder; returns its commit."""
        if _COMMIT.fullmatch(version):
            self.run("fetch", "--quiet", "--depth=1", "--no-tags", self._remote, version)
        else:
            self._fetch_named(version)
        return self.run("rev-parse", "--verify", "FETCH_HEAD^{commit}").decode().strip()

    def _fetch_named(self, version: str) -> None:
        """A tag before a branch of the same name, because a tag is meant to stay."""
        listed = self.run("ls-remote", self._remote, f"refs/tags/{version}", f"refs/heads/{version}").decode()
        names = [line.split("\t")[1] for line in listed.splitlines()]
        if not names:
            raise FetchError(
                f"{self._remote} has neither a tag nor a branch {version!r}; correct source.version", reason="not_found"
            )
        name = next((each for each in names if each.startswith("refs/tags/")), names[0])
        self.run("fetch", "--quiet", "--depth=1", "--no-tags", self._remote, name)

    def run(self, *arguments: str) -> bytes:
        """What git prints. A network that fails for a moment gets another chance."""
        for attempt in range(1, _ATTEMPTS + 1):
            done = self._run_once(*arguments)
            told = done.told.strip()
            if not done.status:
                return done.output
            if attempt == _ATTEMPTS or not _PASSING.search(told):
                break
            self._clock.sleep(2.0**attempt)
        why = " ".join(told.splitlines()[-3:]) or "it does not say why"
        raise FetchError(f"git {arguments[0]} of {self._remote} failed: {why}")

    def _run_once(self, *arguments: str) -> Done:
        environment = {
            **os.environ,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self._folder),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }
        environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
        try:
            return run_program(["git", *arguments], folder=self._folder, environment=environment, seconds=_SECONDS)
        except FileNotFoundError as error:
            raise FetchError(
                "The program git is needed to fetch a source with git, and is not installed on the controller;"
                " install it, for example with 'apt install git'"
            ) from error
