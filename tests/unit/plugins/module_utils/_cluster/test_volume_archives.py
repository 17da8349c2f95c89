# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volumes a backup takes along, and what it says of those that it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.volume_archives import Archive, plan_archives

HOSTS = [{"name": "kitchen", "node_name": "pi1"}, {"name": "pi2", "node_name": "pi2"}]
WANTED = [{"namespace": "blog", "claim": "uploads"}]


def node(name: str) -> dict[str, Any]:
    return {"kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}


def claim(name: str = "uploads", volume: str = "pvc-1") -> dict[str, Any]:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"namespace": "blog", "name": name},
        "spec": {"volumeName": volume} if volume else {},
    }


def volume(*nodes: str, **spec: Any) -> dict[str, Any]:
    rule = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}}} if nodes else {}
    place = spec or {"hostPath": {"path": "/storage/a"}}
    return {"kind": "PersistentVolume", "metadata": {"name": "pvc-1"}, "spec": {**affinity, **place}}


@pytest.mark.parametrize("kind", ["hostPath", "local"])
def test_a_directory_of_one_node_is_taken_along(kind: str) -> None:
    objects = [node("pi1"), node("pi2"), claim(), volume("pi1", **{kind: {"path": "/storage/a"}})]
    archives, problems = plan_archives(WANTED * 2, objects, HOSTS)
    assert archives == [Archive("blog/uploads", "pi1", "/storage/a", "kitchen", "blog.uploads.volume")]
    assert problems == []


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        pytest.param([claim("upload")], "is not in the cluster: did you mean blog/upload?", id="unknown"),
        pytest.param([claim(volume="")], "has no volume yet", id="not bound"),
        pytest.param([claim(), volume("pi1", nfs={"path": "/a"})], "is no directory of a node: back it up", id="nfs"),
        pytest.param(
            [claim(), volume("pi1", local={"path": "/dev/sda"}, volumeMode="Block")], "backup_commands", id="block"
        ),
        pytest.param([claim(), volume("pi9")], "whose node is not in the cluster", id="node gone"),
        pytest.param([claim(), volume()], "is not bound to one node but may be used on pi1, pi2, pi3", id="any node"),
        pytest.param([claim(), volume("pi1", "pi2")], "may be used on pi1, pi2: give it", id="two nodes"),
        pytest.param([claim(), volume("pi3")], "no host of the inventory is that node", id="stranger"),
    ],
)
def test_what_cannot_be_taken_along_is_told_with_the_remedy(objects: list[Any], words: str) -> None:
    archives, problems = plan_archives(WANTED, [node("pi1"), node("pi2"), node("pi3"), *objects], HOSTS)
    assert archives == []
    (problem,) = problems
    assert problem.startswith("backup_volumes: claim blog/uploads ")
    assert words in problem
