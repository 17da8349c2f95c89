# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How a release of k3s is laid out, and which machines it has a binary for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from .._errors import FetchError, InputError
from .version import Version

DEFAULT_URL = "https://github.com/k3s-io/k3s/releases/download"

# uname -m -> (name in the release's lists, name of the binary)
_ARCHITECTURES = {
    "x86_64": ("amd64", "k3s"),
    "aarch64": ("arm64", "k3s-arm64"),
    "armv7l": ("arm", "k3s-armhf"),
    "armv8l": ("arm", "k3s-armhf"),  # a 32-bit system on a 64-bit kernel
}
_NOT_BUILT = {
    "armv6l": "a Raspberry Pi 1 or Zero has an ARMv6 processor, and the k3s binary for ARM needs ARMv7",
}
_SHA256_LINE = re.compile(r"^(?P<sha256>[0-9a-f]{64})[ \t]+\*?(?P<name>\S+)$")


class UnknownVersionError(FetchError):
    """The release server does not have what it would have if there were such a version."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version of k3s for one kind of machine."""

    version: str
    architecture: str
    binary: str
    base_url: str

    @property
    def checksums(self) -> str:
        """Name of the file that lists the SHA-256 of everything in the release."""
        return f"sha256sum-{self.architecture}.txt"

    @property
    def images(self) -> str:
        """Name of the archive of all images that k3s itself needs, for machines without a network."""
        return f"k3s-airgap-images-{self.architecture}.tar.zst"

    def url(self, name: str) -> str:
        """Where a file of the release lies; the plus sign of a version must be escaped."""
        return f"{self.base_url.rstrip('/')}/{quote(self.version, safe='')}/{name}"


def release_for(version: str, machine: str, base_url: str = DEFAULT_URL) -> Release:
    """Return the release for a machine as ``uname -m`` names it."""
    if Version.parse(version) is None:
        raise InputError(
            f"k3s_version is {version!r}, which is not the name of a k3s release; names look like v1.36.3+k3s1",
            version=version,
        )
    problem = architecture_problem(machine)
    if problem:
        raise InputError(problem, machine=machine)
    architecture, binary = _ARCHITECTURES[machine]
    return Release(version=version, architecture=architecture, binary=binary, base_url=base_url)


def releases_of(version: str, base_url: str = DEFAULT_URL) -> list[Release]:
    """Return a version's releases for all kinds of machines: a server of releases need not have each of them."""
    return list(dict.fromkeys(release_for(version, machine, base_url) for machine in _ARCHITECTURES))


def architecture_problem(machine: str) -> str:
    """Say why k3s cannot run on a machine, or nothing if it can."""
    if machine in _ARCHITECTURES:
        return ""
    reason = _NOT_BUILT.get(machine, "k3s is released for x86_64, aarch64 and armv7l")
    return f"k3s does not run on the architecture {machine}: {reason}"


def unknown_version(release: Release) -> str:
    """Explain that the release server does not know a version."""
    return (
        f"k3s version {release.version} is not among the releases at {release.base_url}; "
        "correct k3s_version (the releases are listed at https://github.com/k3s-io/k3s/releases) or k3s_release_url"
    )


def checksum_of(listing: str, name: str) -> str:
    """Find the SHA-256 of one file in the text of a release's checksum list."""
    for line in listing.splitlines():
        match = _SHA256_LINE.match(line.strip())
        if match and match["name"] == name:
            return match["sha256"]
    raise FetchError(f"the checksum list of the release has no line for {name}", file=name)
