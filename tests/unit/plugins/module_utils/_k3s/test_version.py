# SPDX-License-Identifier: GPL-3.0-or-later
"""How versions of k3s follow each other."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.version import Version, same_line

IN_ORDER = [
    "v1.35.4+k3s1",
    "v1.35.10+k3s1",
    "v1.36.3-rc1+k3s1",
    "v1.36.3-rc10+k3s1",
    "v1.36.3+k3s1",
    "v1.36.3+k3s2",
    "v2.0.0+k3s1",
]


def test_releases_follow_each_other_by_their_numbers() -> None:
    versions = [Version.parse(text) for text in IN_ORDER]
    assert None not in versions
    assert sorted(versions) == versions
    assert len(set(versions)) == len(IN_ORDER)


@pytest.mark.parametrize("text", ["", "1.36.3+k3s1", "v1.36.3", "v1.36+k3s1", "v1.36.3+k3s1 ", "latest"])
def test_what_is_no_release_has_no_version(text: str) -> None:
    assert Version.parse(text) is None


def test_versions_of_one_minor_are_told_from_others() -> None:
    assert same_line("v1.36.3+k3s1", "v1.36.0-rc1+k3s2")
    assert not same_line("v1.36.3+k3s1", "v1.35.4+k3s1")
    assert not same_line("", "")
