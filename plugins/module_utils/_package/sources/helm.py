# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Charts from repositories of Helm: an index at a web server, or a registry.

The index changes with every release of any chart, so it is never pinned; the archive of the chart is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from ..._errors import FetchError, InputError
from ..._kube.near_miss import did_you_mean
from ..._kube.yaml import read_documents
from ..version import Constraint, Version
from .download import Downloads
from .oci import Registries
from .source import Chart


def fetch_chart(source: Chart, downloads: Downloads) -> bytes:
    """The archive of a chart."""
    if source.is_artifact:
        return Registries(downloads).chart(source.address)
    return downloads.pinned(source.address, lambda: _from_index(source, downloads))


def _from_index(source: Chart, downloads: Downloads) -> bytes:
    index = f"{source.repository}/index.yaml"
    entry = find_entry(_read_index(downloads.fresh(index).content, index), source)
    address, digest = entry_address(entry, source), str(entry.get("digest") or "").removeprefix("sha256:")
    kept = downloads.kept(digest)
    raw = kept if kept is not None else downloads.fresh(address).content
    found = hashlib.sha256(raw).hexdigest()
    if digest and found != digest:
        raise FetchError(
            f"{address} is damaged, or is not what the repository speaks of: its index says sha256:{digest},"
            f" the file is sha256:{found}",
            reason="digest_mismatch",
        )
    return raw


def _read_index(raw: bytes, address: str) -> Mapping[str, Any]:
    content = next((each.content for each in read_documents(raw.decode("utf-8", "replace"), address)), None)
    entries = content.get("entries") if isinstance(content, Mapping) else None
    if not isinstance(entries, Mapping):
        raise FetchError(f"{address} is no index of a chart repository; correct source.helm")
    return entries


def find_entry(entries: Mapping[str, Any], source: Chart) -> Mapping[str, Any]:
    """What an index says about a chart in a version; of a range the newest that fits."""
    listed = entries.get(source.name)
    if not isinstance(listed, Sequence) or not listed:
        raise InputError(f"{source.repository} has no chart {source.name!r}; {did_you_mean(source.name, entries)}")
    found = {str(entry.get("version")): entry for entry in listed if isinstance(entry, Mapping)}
    for version in (source.version, source.version.removeprefix("v"), f"v{source.version}"):
        if version in found:
            return found[version]
    fitting = _fitting(source.version, found)
    if not fitting:
        newest = list(found)[:5]
        raise InputError(
            f"{source.repository} has no version {source.version!r} of chart {source.name}; {_near(source, found)}"
            f" Listed first are {', '.join(newest)}"
        )
    return found[fitting]


def _near(source: Chart, found: Mapping[str, Any]) -> str:
    told = did_you_mean(source.version, found)
    return told if told.endswith("?") else ""


def _fitting(wanted: str, found: Mapping[str, Any]) -> str:
    try:
        constraint = Constraint.parse(wanted)
    except InputError:
        return ""
    fitting: list[tuple[Version, str]] = []
    for text in found:
        try:
            version = Version.parse(text)
        except InputError:
            continue  # repositories are older than the rules for versions
        if constraint.admits(version):
            fitting.append((version, text))
    return max(fitting)[1] if fitting else ""


def entry_address(entry: Mapping[str, Any], source: Chart) -> str:
    addresses = entry.get("urls")
    if not isinstance(addresses, Sequence) or not addresses:
        raise FetchError(f"{source.repository} does not say where the archive of {source} lies")
    address = urljoin(f"{source.repository}/", str(addresses[0]))
    if not address.startswith(("https://", "http://")):
        raise FetchError(f"{source.repository} says that {source} lies at {address}, which is no web address")
    return address
