# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one may go on to the next machine."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.gate import lacking, removed_by


def pod(name: str, owner: str = "ReplicaSet blog-5") -> dict[str, str]:
    return {"namespace": "blog", "name": name, "owner": owner, "message": "CrashLoopBackOff"}


def info(**differences: Any) -> dict[str, Any]:
    usual = {
        "ready": True,
        "failing_checks": [],
        "nodes": [{"name": "pi1", "ready": True}],
        "etcd": {"members": [{"node": "pi1", "voter": True, "message": ""}]},
        "pods": {"unhealthy": []},
    }
    return {**usual, **differences}


def test_a_cluster_that_is_as_it_was_lacks_nothing() -> None:
    assert lacking(info(), info()) == []


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"ready": False, "failing_checks": ["etcd"]}, "API server is not ready (etcd)"),
        ({"nodes": [{"name": "pi2", "ready": False}]}, "node pi2 is not Ready"),
        ({"etcd": {"members": [{"node": "pi3", "voter": None, "message": ""}]}}, "pi3 is not a voting member"),
        ({"pods": {"unhealthy": [pod("blog-5-a")]}}, "pod blog/blog-5-a: CrashLoopBackOff"),
    ],
)
def test_what_it_lacks_is_named(difference: dict[str, Any], words: str) -> None:
    (sentence,) = lacking(info(**difference), info())
    assert words in sentence


def test_what_was_ill_before_may_be_ill_still_under_another_name() -> None:
    before, now = info(pods={"unhealthy": [pod("blog-5-a")]}), info(pods={"unhealthy": [pod("blog-5-b")]})
    assert lacking(now, before) == []


def test_the_pods_of_jobs_do_not_count() -> None:
    assert lacking(info(pods={"unhealthy": [pod("backup-1-a", "Job backup-1")]}), info()) == []


OBJECT = {"api_version": "networking.k8s.io/v1beta1", "kind": "ServiceCIDR", "namespace": "", "name": "extra"}
REQUEST = {"group": "storage.k8s.io", "version": "v1beta1", "resource": "volumeattributesclasses"}


def test_apis_that_the_version_lacks_are_named_with_their_objects() -> None:
    used = {
        "objects": [{**OBJECT, "manager": "kubectl", "removed_in": "1.37"}],
        "requested": [{**REQUEST, "removed_in": "1.37"}, {**REQUEST, "removed_in": ""}],
    }
    assert removed_by({"deprecated_apis": used}, "v1.36.3+k3s1") == []
    written, asked = removed_by({"deprecated_apis": used}, "v1.37.0+k3s1")
    assert written.startswith("kubectl writes ServiceCIDR extra as networking.k8s.io/v1beta1")
    assert "volumeattributesclasses in storage.k8s.io/v1beta1" in asked
