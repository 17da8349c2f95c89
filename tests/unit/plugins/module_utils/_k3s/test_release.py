# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release is laid out, and which machines it has a binary for."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.release import (
    checksum_of,
    release_for,
    unknown_version,
)

VERSION = "v1.36.3+k3s1"


@pytest.mark.parametrize(
    ("machine", "binary", "checksums"),
    [
        ("x86_64", "k3s", "sha256sum-amd64.txt"),
        ("aarch64", "k3s-arm64", "sha256sum-arm64.txt"),
        ("armv7l", "k3s-armhf", "sha256sum-arm.txt"),
    ],
)
def test_each_machine_has_its_binary(machine: str, binary: str, checksums: str) -> None:
    release = release_for(VERSION, machine)
    assert (release.binary, release.checksums) == (binary, checksums)


@pytest.mark.parametrize("machine", ["armv6l", "riscv64", "i686"])
def test_other_machines_are_refused_by_name(machine: str) -> None:
    with pytest.raises(InputError, match=machine):
        release_for(VERSION, machine)


def test_the_oldest_pis_are_told_why() -> None:
    with pytest.raises(InputError, match="ARMv6"):
        release_for(VERSION, "armv6l")


@pytest.mark.parametrize("version", ["1.36.3", "v1.36.3", "latest", "v1.36.3-k3s1", ""])
def test_what_is_no_release_name_is_refused_with_an_example(version: str) -> None:
    with pytest.raises(InputError, match=r"k3s_version .* look like v1\.36\.3\+k3s1"):
        release_for(version, "aarch64")


def test_a_release_candidate_is_a_release() -> None:
    assert release_for("v1.36.0-rc1+k3s1", "aarch64").version == "v1.36.0-rc1+k3s1"


def test_the_plus_sign_is_escaped_in_an_address() -> None:
    url = release_for(VERSION, "x86_64", "https://example.org/k3s/").url("k3s")
    assert url == "https://example.org/k3s/v1.36.3%2Bk3s1/k3s"


def test_the_right_line_of_the_checksums_is_found() -> None:
    listing = f"{'1' * 64}  k3s-airgap-images-arm64.tar.zst\n{'2' * 64} *k3s-arm64\n"
    assert checksum_of(listing, "k3s-arm64") == "2" * 64


def test_a_file_that_the_list_lacks_is_an_error() -> None:
    with pytest.raises(FetchError, match="k3s-arm64"):
        checksum_of(f"{'1' * 64}  k3s\n", "k3s-arm64")


def test_an_unknown_version_is_told_with_the_parameters_to_look_at() -> None:
    text = unknown_version(release_for("v9.99.9+k3s1", "x86_64", "https://example.org"))
    assert all(word in text for word in ("v9.99.9+k3s1", "https://example.org", "k3s_version", "k3s_release_url"))
