# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The lock file: the digest of everything that was ever downloaded, under its address.

It lies in the operator's repository. What is fetched for the first time is written down; from then on the same address
must give the same bytes, on every machine and for ever. For a version of a git repository its commit stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..._errors import InputError
from ..._kube.yaml import read_documents, write_yaml

_HEADER = (
    "---\n# Digests of what packages were fetched from. Written by the module package; keep it in the repository.\n"
)
_PREFIX = "sha256:"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Lock:
    """Digests (hexadecimal SHA-256) by address, and commits of repositories."""

    digests: Mapping[str, str]
    commits: Mapping[str, str] = field(default_factory=dict)

    def with_digest(self, address: str, digest: str) -> Lock:
        return replace(self, digests={**self.digests, address: digest})

    def with_commit(self, address: str, commit: str) -> Lock:
        return replace(self, commits={**self.commits, address: commit})


def read_lock(text: str, origin: str) -> Lock:
    contents = [document.content for document in read_documents(text, origin) if document.content is not None]
    content = contents[0] if contents else {}
    entries, commits = _part(content, "downloads"), _part(content, "commits")
    if len(contents) > 1 or entries is None or commits is None:
        raise InputError(f"{origin}: this is no lock file; it has the mappings downloads and commits")
    for address, digest in entries.items():
        if not isinstance(digest, str) or not digest.startswith(_PREFIX):
            raise InputError(f"{origin}: the digest of {address} does not start with {_PREFIX}")
    for address, commit in commits.items():
        if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
            raise InputError(f"{origin}: the commit of {address} is not 40 or 64 hexadecimal digits; quote it")
    return Lock({address: digest.removeprefix(_PREFIX) for address, digest in entries.items()}, dict(commits))


def _part(content: Any, name: str) -> Mapping[str, Any] | None:
    part = content.get(name, {}) if isinstance(content, Mapping) else None
    return part if isinstance(part, Mapping) else None


def write_lock(lock: Lock) -> str:
    entries = {address: f"{_PREFIX}{lock.digests[address]}" for address in sorted(lock.digests)}
    commits = {address: lock.commits[address] for address in sorted(lock.commits)}
    return _HEADER + write_yaml({"downloads": entries, **({"commits": commits} if commits else {})})
