# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.support.contract import Contract
from tests.support.fake_cluster import BUILT_IN, FakeCluster


class TestFakeCluster(Contract):
    @pytest.fixture
    def cluster(self) -> FakeCluster:
        fake = FakeCluster()
        fake.apply(BUILT_IN[2], {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}})
        return fake

    @pytest.fixture
    def namespace(self) -> str:
        return "test"
