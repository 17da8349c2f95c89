# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests of modules run them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_cluster import FakeCluster
from tests.unit.plugins.modules.kube_module import Runner, RunnerFor


@pytest.fixture
def runner_for(cluster: FakeCluster, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> RunnerFor:
    """Makes what runs a module on the cluster in memory."""
    return lambda module, **always: Runner(module, capsys, tmp_path, always)
