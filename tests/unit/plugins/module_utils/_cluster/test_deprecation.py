# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.deprecation import (
    Requested,
    minor_of,
    requested_in,
    written_in_old_versions,
)

METRICS = """\
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="a.b",removed_release="1.38",resource="c",subresource="d",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="a.b",removed_release="1.38",resource="e",subresource="",version="v1beta1"} 0
apiserver_request_total{group="a.b",resource="c"} 7
"""


def test_what_was_requested_is_read_from_the_servers_counters() -> None:
    assert requested_in(METRICS) == [
        Requested("", "v1", "endpoints", ""),
        Requested("a.b", "v1beta1", "c/d", "1.38"),
    ]
    assert requested_in("") == []


@pytest.mark.parametrize(("version", "minor"), [("v1.36.3+k3s1", 36), ("1.9.0", 9), ("v2.0.0", 0), ("", 0)])
def test_minors(version: str, minor: int) -> None:
    assert minor_of(version) == minor


def claim_template(*, applied: str = "", managed: str = "resource.k8s.io/v1", subresource: str = "") -> dict[str, Any]:
    entry = {"manager": "me", "apiVersion": managed, **({"subresource": subresource} if subresource else {})}
    metadata: dict[str, Any] = {"name": "it", "namespace": "n", "managedFields": [entry]}
    if applied:
        metadata["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": metadata}


@pytest.mark.parametrize(
    ("live", "version", "found"),
    [
        (claim_template(), "v1.36.3", []),
        (claim_template(managed="resource.k8s.io/v1beta1"), "v1.36.3", [("me", "1.38")]),
        (claim_template(managed="resource.k8s.io/v1beta2"), "v1.36.3", [("me", "1.39")]),
        (claim_template(managed="resource.k8s.io/v1beta1"), "v1.38.0", []),
        (claim_template(managed="resource.k8s.io/v1beta1", subresource="status"), "v1.36.3", []),
        (
            claim_template(applied=json.dumps({"apiVersion": "resource.k8s.io/v1beta1"})),
            "v1.36.3",
            [("kubectl apply", "1.38")],
        ),
        (claim_template(applied="{broken"), "v1.36.3", []),
        (claim_template(applied="[]"), "v1.36.3", []),
    ],
)
def test_objects_that_are_written_in_a_version_that_goes(
    live: dict[str, Any], version: str, found: list[tuple[str, str]]
) -> None:
    assert [(each.manager, each.removed_in) for each in written_in_old_versions([live], version)] == found
