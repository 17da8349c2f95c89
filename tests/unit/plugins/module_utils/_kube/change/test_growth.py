# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.growth import growths
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest


def sized(name: str, size: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"resources": {"requests": {"storage": size}}}}


def stateful_set(**sizes: str) -> dict[str, Any]:
    templates = [sized(name, size) for name, size in sizes.items()]
    metadata = {"name": "db", "namespace": "n"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata,
        "spec": {"volumeClaimTemplates": templates},
    }


def test_only_claims_of_this_set_that_are_too_small_grow() -> None:
    live, wanted = stateful_set(data="1Gi", log="2Gi"), Manifest(stateful_set(data="2048Mi", log="1Gi", new="9Gi"))
    claims = [
        sized("data-db-0", "1Gi"),
        sized("data-db-11", "1.5Gi"),
        sized("data-db-2", "2Gi"),  # has grown already
        sized("log-db-0", "2Gi"),  # would shrink
        sized("data-db-0-copy", "1Gi"),
        sized("data-other-0", "1Gi"),
    ]
    found = growths(wanted, live, claims)
    assert [str(growth) for growth in found] == [
        "data-db-0 from 1Gi to 2048Mi",
        "data-db-11 from 1.5Gi to 2048Mi",
    ]
    assert found[0].patch == {"spec": {"resources": {"requests": {"storage": "2048Mi"}}}}
