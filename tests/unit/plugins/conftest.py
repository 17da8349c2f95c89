# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that modules and lookups meet in these tests."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube import options

from tests.support.fake_cluster import FakeCluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster in memory: whatever a face connects to, it is this one."""
    fake = FakeCluster()
    monkeypatch.setattr(options, "open_cluster", lambda _access: fake)
    return fake
