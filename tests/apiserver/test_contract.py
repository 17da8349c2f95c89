# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import ApiServer, open_cluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.client import Access

from tests.support.contract import Contract


@pytest.mark.apiserver
class TestApiServer(Contract):
    @pytest.fixture
    def cluster(self, kubeconfig: Path) -> ApiServer:
        return open_cluster(Access(kubeconfig=str(kubeconfig)))
