# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters about backups put together."""

from __future__ import annotations

from ansible_collections.hearth.cluster.plugins.filter import backup as filters
from ansible_collections.hearth.cluster.tests.unit.plugins.filter.records import server

MANIFEST = {"name": "20261127T030000Z", "cluster": "pi1", "cluster_name": "home"}
BEGUN = {"backup": MANIFEST["name"], "cluster": "pi1", "in_place": False}
SILENT = {"service": {"active": "inactive", "enabled": False}, "api": {"ready": False, "nodes": []}}


def test_what_must_be_mended_is_told_beside_what_would_be_overwritten() -> None:
    mistaken = {**server("pi1"), "problems": ["k3s_verion is not a parameter"]}
    typo, overwritten = filters.obstacles([mistaken], ["pi1"], MANIFEST)
    assert typo == "k3s_verion is not a parameter"
    assert "a cluster is alive on pi1" in overwritten
    assert filters.obstacles([mistaken], ["pi1"], MANIFEST, word="home") == [typo]


def test_how_far_an_earlier_run_came_is_read_from_notes_and_machines() -> None:
    records = [server("pi1"), server("pi2", datastore="", **SILENT)]
    notes = {"pi1": {**BEGUN, "in_place": True}, "pi2": BEGUN}
    assert filters.progress(records, ["pi1", "pi2"], MANIFEST, notes) == {"in_place": True, "half_done": ["pi2"]}
    assert filters.progress(records, ["pi1", "pi2"], MANIFEST, {}) == {"in_place": False, "half_done": []}
