# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of kwok: one stage for each pod. What kwok makes of it is tested in tests/apiserver."""

from __future__ import annotations

import json
from typing import Any

from tests.lab import simulation


def stages() -> list[dict[str, Any]]:
    return [json.loads(document) for document in simulation.stages().split("\n---\n")]


def test_every_fate_has_a_stage_and_every_name_is_its_own() -> None:
    names = [stage["metadata"]["name"] for stage in stages()]
    assert len(names) == len(set(names))
    assert {f"pod-{fate}" for fate in simulation.FATES} < set(names)


def test_new_pods_enter_exactly_one_stage() -> None:
    """The stages for pods without a status part the images between them: one value each, and one for all the rest."""
    entries = []
    for stage in stages():
        matches = {item["key"]: item for item in stage["spec"]["selector"]["matchExpressions"]}
        if ".status.startTime" in matches:
            entries.append(next(item for key, item in matches.items() if "lab.invalid/" in key))
    chosen = [item.get("values", []) for item in entries]
    assert sorted(chosen) == sorted([[], *([fate] for fate in simulation.FATES)])


def test_pods_on_their_way_out_are_only_deleted() -> None:
    for stage in stages():
        matches = {item["key"]: item["operator"] for item in stage["spec"]["selector"]["matchExpressions"]}
        expected = "Exists" if stage["spec"]["next"].get("delete") else "DoesNotExist"
        assert matches[".metadata.deletionTimestamp"] == expected


def test_there_are_as_many_nodes_as_asked_for_and_volumes_of_the_default_class() -> None:
    items = json.loads(simulation.objects(2))["items"]
    assert [item["metadata"]["name"] for item in items if item["kind"] == "Node"] == ["simulated-1", "simulated-2"]
    [storage_class] = [item for item in items if item["kind"] == "StorageClass"]
    classes = {item["spec"]["storageClassName"] for item in items if item["kind"] == "PersistentVolume"}
    assert classes == {storage_class["metadata"]["name"]}
