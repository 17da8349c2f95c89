# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the volumes of a backup go, and what lies in their way there."""

from __future__ import annotations

from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._k3s.restored_volumes import (
    Seen,
    volume_obstacles,
    volumes_due,
)

MIB = 1 << 20
UPLOADS: dict[str, Any] = {
    "claim": "blog/uploads",
    "node": "pi2",
    "path": "/storage/uploads",
    "bytes": 30 * MIB,
    "archive": {"name": "blog.uploads.volume.tar.gz", "size": 10 * MIB},
}
BARE = {"claim": "db/data", "node": "pi2", "path": "/storage/data"}
MANIFEST: dict[str, Any] = {"cluster_name": "home", "volumes": [BARE, UPLOADS]}


def seen(content: str = "absent", **more: Any) -> Seen:
    return Seen(
        **{"name": "kitchen", "node_name": "pi2", "room": 40 * MIB, "content": {UPLOADS["path"]: content}, **more}
    )


def test_a_volume_goes_to_the_machine_that_is_its_node() -> None:
    assert volumes_due(MANIFEST, seen()) == [UPLOADS]
    assert volumes_due(MANIFEST, seen(node_name="pi1")) == []


def test_a_volume_that_had_its_turn_is_left_alone_unless_the_cluster_is_given_up() -> None:
    assert volumes_due(MANIFEST, seen("filled", restored=["blog/uploads"])) == []
    assert volumes_due(MANIFEST, seen("empty", restored=["blog/uploads"])) == [], "its pods may have emptied it"
    assert volumes_due(MANIFEST, seen("absent", restored=["blog/uploads"])) == [UPLOADS], "killed just before the end"
    assert volumes_due(MANIFEST, seen("filled", restored=["blog/uploads"]), overwrite=True) == [UPLOADS]


def test_content_is_overwritten_only_by_the_name_of_the_cluster() -> None:
    (obstacle,) = volume_obstacles(MANIFEST, [seen("filled")])
    assert obstacle.startswith("/storage/uploads on kitchen has content")
    assert "-e overwrite=home" in obstacle
    assert volume_obstacles(MANIFEST, [seen("filled")], word="hmoe") == [obstacle]
    assert volume_obstacles(MANIFEST, [seen("filled")], word="home") == []
    assert volume_obstacles(MANIFEST, [seen("empty")]) == []
    assert volume_obstacles(MANIFEST, [seen("filled", restored=["blog/uploads"], room=0)]) == []


def test_too_little_room_is_told_before_anything_is_changed() -> None:
    (obstacle,) = volume_obstacles(MANIFEST, [seen(room=39 * MIB)])
    assert obstacle == "kitchen has room for 39 MiB, and the volumes of blog/uploads take 40: make room"
