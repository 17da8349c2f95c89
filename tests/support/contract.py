# SPDX-License-Identifier: GPL-3.0-or-later
"""What every cluster behind the port does: run against the fake one and a real one, so that the fake cannot lie."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import identity_of, owned_digest, uid_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.port import Cluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection, Resource
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError


def config_map(namespace: str, name: str = "it", labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def owners_of(live: Any, key: str) -> set[str]:
    """Who has a field of a ConfigMap on record."""
    entries = live["metadata"]["managedFields"]
    return {each["manager"] for each in entries if f"f:{key}" in each["fieldsV1"].get("f:data", {})}


class Contract:
    """Subclasses give a `cluster` and an empty `namespace` in it."""

    @pytest.fixture
    def maps(self, cluster: Cluster) -> Resource:
        resource = cluster.catalogue().find("v1", "ConfigMap")
        assert resource is not None
        return resource

    def test_what_was_applied_is_read_back(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        applied = cluster.apply(maps, config_map(namespace, a="1"))
        read = cluster.get(maps, namespace, "it")
        assert read is not None
        assert read["data"] == {"a": "1"}
        assert uid_of(read) == uid_of(applied) != ""
        assert owned_digest(read) == owned_digest(applied) != ""

    def test_who_may_do_everything_may_do_one_thing(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        assert cluster.may("*", Resource("*", "", "*", "*", namespaced=False), "")
        assert cluster.may("patch", maps, namespace)

    def test_what_is_applied_as_it_is_already_belongs_to_both(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        cluster.apply(maps, config_map(namespace, b="1"))
        live = cluster.patch(maps, namespace, "it", {"data": {"a": "1"}}, kind="merge", manager="first")
        content = config_map(namespace, a="1")
        content["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        shared = cluster.apply(maps, content, force=True, manager="second")
        assert owners_of(shared, "a") == {"first", "second"}
        with pytest.raises(RefusedError) as refused:
            cluster.apply(maps, {**content, "data": {"a": "2"}}, force=True, manager="second")
        assert refused.value.reason is Reason.STALE
        gone = cluster.patch(maps, namespace, "it", {"data": {"a": None}}, kind="merge", manager="third")
        assert owners_of(gone, "a") <= {"third"}

    def test_what_does_not_exist_is_none(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        assert cluster.get(maps, namespace, "nobody") is None
        assert cluster.delete(maps, namespace, "nobody") is False

    def test_applying_the_same_again_changes_nothing(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        first = cluster.apply(maps, config_map(namespace, a="1"))
        second = cluster.apply(maps, config_map(namespace, a="1"))
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    def test_a_dry_run_predicts_and_writes_nothing(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        predicted = cluster.apply(maps, config_map(namespace, a="1"), dry_run=True)
        assert predicted["data"] == {"a": "1"}
        assert cluster.get(maps, namespace, "it") is None

    def test_a_field_that_is_applied_no_more_goes(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1", b="2"))
        assert cluster.apply(maps, config_map(namespace, a="1"))["data"] == {"a": "1"}

    def test_another_managers_field_is_a_conflict(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"), manager="somebody")
        with pytest.raises(RefusedError) as refused:
            cluster.apply(maps, config_map(namespace, a="2"))
        assert refused.value.reason is Reason.CONFLICT
        assert [(each.field, each.manager) for each in refused.value.conflicts] == [(".data.a", "somebody")]

    def test_a_field_taken_by_force_is_lost_to_the_other(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        before = cluster.apply(maps, config_map(namespace, a="1"))
        after = cluster.apply(maps, config_map(namespace, a="2"), manager="somebody", force=True)
        assert owned_digest(after) != owned_digest(before)

    def test_a_version_that_is_out_of_date_is_refused(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        def at(version: str, value: str) -> dict[str, Any]:
            content = config_map(namespace, a=value)
            return {**content, "metadata": {**content["metadata"], "resourceVersion": version}}

        first = cluster.apply(maps, config_map(namespace, a="1"))["metadata"]["resourceVersion"]
        second = cluster.apply(maps, at(first, "2"))["metadata"]["resourceVersion"]
        assert second != first
        with pytest.raises(RefusedError) as refused:
            cluster.apply(maps, at(first, "3"))
        assert refused.value.reason is Reason.STALE

    def test_equal_values_do_not_conflict(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"), manager="somebody")
        assert owned_digest(cluster.apply(maps, config_map(namespace, a="1"))) != ""

    def test_a_document_that_does_not_fit_is_a_misfit(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        with pytest.raises(RefusedError, match=r"dta: field not declared in schema") as refused:
            cluster.apply(maps, {**config_map(namespace), "dta": {"a": "1"}})
        assert refused.value.reason is Reason.MISFIT

    def test_a_missing_namespace_is_not_found(self, cluster: Cluster, maps: Resource) -> None:
        with pytest.raises(RefusedError, match=r'namespaces "nowhere" not found') as refused:
            cluster.apply(maps, config_map("nowhere", a="1"), dry_run=True)
        assert refused.value.reason is Reason.NOT_FOUND

    def test_an_immutable_field_is_refused_as_such(self, cluster: Cluster, namespace: str) -> None:
        secrets = cluster.catalogue().find("v1", "Secret")
        assert secrets is not None
        content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "it", "namespace": namespace}}
        cluster.apply(secrets, {**content, "type": "Opaque"})
        with pytest.raises(RefusedError) as refused:
            cluster.apply(secrets, {**content, "type": "example.org/other"}, force=True, dry_run=True)
        assert refused.value.reason is Reason.IMMUTABLE

    def test_lists_select_by_label_and_leave_out_the_rest(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        cluster.apply(maps, config_map(namespace, "one", labels={"set": "mine"}, a="1"))
        cluster.apply(maps, config_map(namespace, "two", a="1"))
        (found,) = cluster.list(Collection(maps, namespace), selector="set=mine", metadata_only=True)
        assert str(identity_of(found)) == f"ConfigMap {namespace}/one"
        assert "data" not in found
        assert owned_digest(found) != ""

    def test_only_the_object_of_that_uid_is_deleted(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        live = cluster.apply(maps, config_map(namespace, a="1"))
        with pytest.raises(RefusedError) as refused:
            cluster.delete(maps, namespace, "it", uid="00000000-0000-0000-0000-000000000000")
        assert refused.value.reason is Reason.STALE
        assert cluster.delete(maps, namespace, "it", uid=uid_of(live)) is True
        assert cluster.get(maps, namespace, "it") is None

    def test_only_the_object_of_that_uid_is_patched(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        live = cluster.apply(maps, config_map(namespace, a="1"))
        patch = {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}, "data": {"a": "2"}}
        with pytest.raises(RefusedError) as refused:
            cluster.patch(maps, namespace, "it", patch, kind="merge")
        assert (refused.value.reason, refused.value.status) == (Reason.IMMUTABLE, 422)
        patch["metadata"]["uid"] = uid_of(live)
        assert cluster.patch(maps, namespace, "it", patch, kind="merge")["data"] == {"a": "2"}

    def test_what_a_finalizer_holds_goes_when_that_is_taken_away(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        content = config_map(namespace, a="1")
        cluster.apply(maps, {**content, "metadata": {**content["metadata"], "finalizers": ["example.org/keeper"]}})
        assert cluster.delete(maps, namespace, "it") is True
        assert "deletionTimestamp" in (cluster.get(maps, namespace, "it") or {})["metadata"]
        cluster.patch(maps, namespace, "it", {"metadata": {"finalizers": []}}, kind="merge")
        assert cluster.get(maps, namespace, "it") is None

    def test_a_deletion_can_be_tried_first(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"))
        assert cluster.delete(maps, namespace, "it", dry_run=True) is True
        assert cluster.get(maps, namespace, "it") is not None

    def test_a_watch_begins_with_what_is_there(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, labels={"set": "mine"}, a="1"))
        with cluster.watch([Collection(maps, namespace)], selector="set=mine") as changes:
            first = changes.next(5)
        assert first is not None
        assert first["metadata"]["name"] == "it"

    def test_patches_change_one_live_object(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"))
        merged = cluster.patch(maps, namespace, "it", {"data": {"b": "2"}}, kind="merge")
        assert merged["data"] == {"a": "1", "b": "2"}
        operations = [{"op": "remove", "path": "/data/a"}]
        assert cluster.patch(maps, namespace, "it", operations, kind="json")["data"] == {"b": "2"}

    def test_a_patch_takes_what_it_changes_from_who_applied_it(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        before = cluster.apply(maps, config_map(namespace, a="1", b="2"))
        after = cluster.patch(maps, namespace, "it", {"data": {"a": "9"}}, kind="merge", manager="somebody")
        assert owned_digest(after) != owned_digest(before)
        with pytest.raises(RefusedError) as refused:
            cluster.apply(maps, config_map(namespace, a="1", b="2"), dry_run=True)
        assert [(each.field, each.manager) for each in refused.value.conflicts] == [(".data.a", "somebody")]

    def test_a_patch_that_changes_nothing_is_no_write(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        before = cluster.apply(maps, config_map(namespace, a="1"))
        after = cluster.patch(maps, namespace, "it", {"data": {"a": "1"}}, kind="merge", manager="somebody")
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

    def test_a_patch_can_be_tried_first(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"))
        tried = cluster.patch(maps, namespace, "it", {"data": {"a": "2"}}, kind="merge", dry_run=True)
        assert tried["data"] == {"a": "2"}
        assert (cluster.get(maps, namespace, "it") or {})["data"] == {"a": "1"}

    def test_a_patch_of_an_older_version_is_refused(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        older = cluster.apply(maps, config_map(namespace, a="1"))["metadata"]["resourceVersion"]
        cluster.apply(maps, config_map(namespace, a="2"))
        patch = {"metadata": {"resourceVersion": older}, "data": {"a": "3"}}
        with pytest.raises(RefusedError) as refused:
            cluster.patch(maps, namespace, "it", patch, kind="merge")
        assert refused.value.reason is Reason.STALE

    def test_a_patch_that_does_not_fit_is_refused(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        cluster.apply(maps, config_map(namespace, a="1"))
        with pytest.raises(RefusedError, match="dta") as refused:
            cluster.patch(maps, namespace, "it", {"dta": {"a": "2"}}, kind="merge")
        assert refused.value.reason in (Reason.MISFIT, Reason.INVALID)

    def test_a_patch_of_what_does_not_exist_is_refused(self, cluster: Cluster, maps: Resource, namespace: str) -> None:
        with pytest.raises(RefusedError) as refused:
            cluster.patch(maps, namespace, "nobody", {"data": {"a": "2"}}, kind="merge")
        assert refused.value.reason is Reason.NOT_FOUND

    def test_lists_cover_all_namespaces_when_none_is_named(
        self, cluster: Cluster, maps: Resource, namespace: str
    ) -> None:
        cluster.apply(maps, config_map(namespace, labels={"set": namespace}, a="1"))
        (found,) = cluster.list(Collection(maps, ""), selector=f"set in ({namespace}, other)")
        assert (identity_of(found).namespace, found["data"]) == (namespace, {"a": "1"})

    def test_a_definition_adds_a_kind(self, cluster: Cluster, namespace: str) -> None:
        definitions = cluster.catalogue().find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        assert definitions is not None
        group = f"{namespace}.example.org"
        cluster.apply(definitions, definition(group, "Thing"))
        for _attempt in range(100):
            if cluster.catalogue(fresh=True).find(f"{group}/v1", "Thing"):
                break
        assert cluster.catalogue().find(f"{group}/v1", "Thing") is not None
        cluster.delete(definitions, "", f"things.{group}")

    def test_a_pod_that_gets_no_time_is_gone_at_once(self, cluster: Cluster, namespace: str) -> None:
        live = running_pod(cluster, namespace)
        assert cluster.delete(pods_of(cluster), namespace, "it", uid=uid_of(live), grace_period=0) is True
        assert cluster.get(pods_of(cluster), namespace, "it") is None

    def test_an_evicted_pod_goes(self, cluster: Cluster, namespace: str) -> None:
        live = running_pod(cluster, namespace)
        assert cluster.evict(namespace, "it", uid=uid_of(live), grace_period=0) == ""
        eventually(lambda: cluster.get(pods_of(cluster), namespace, "it") is None)
        assert cluster.evict(namespace, "it", uid=uid_of(live)) == ""

    def test_only_the_pod_of_that_uid_is_evicted(self, cluster: Cluster, namespace: str) -> None:
        live = running_pod(cluster, namespace)
        assert cluster.evict(namespace, "it", uid="00000000-0000-0000-0000-000000000000") == ""
        assert uid_of(cluster.get(pods_of(cluster), namespace, "it") or {}) == uid_of(live)

    def test_a_budget_forbids_an_eviction_and_is_named(self, cluster: Cluster, namespace: str) -> None:
        live = running_pod(cluster, namespace)
        budgets = cluster.catalogue().find("policy/v1", "PodDisruptionBudget")
        assert budgets is not None
        cluster.apply(budgets, budget(namespace, minAvailable=1))
        told = "The disruption budget it needs 1 healthy pods and has 1 currently"
        eventually(lambda: cluster.evict(namespace, "it", uid=uid_of(live)) == told)
        assert cluster.get(pods_of(cluster), namespace, "it") is not None

    def test_the_server_tells_about_itself(self, cluster: Cluster) -> None:
        assert (cluster.page("/readyz").status, cluster.page("/readyz").text) == (200, "ok")
        assert cluster.page("/nothing-is-here").status == 404


def eventually(holds: Callable[[], bool], limit: float = 30.0) -> None:
    """A cluster's controllers and kubelets need a moment; the fake one needs none."""
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def pods_of(cluster: Cluster) -> Resource:
    resource = cluster.catalogue().find("v1", "Pod")
    assert resource is not None
    return resource


def running_pod(cluster: Cluster, namespace: str) -> Any:
    """A pod that serves; in the fake cluster every pod does."""
    metadata = {"name": "it", "namespace": namespace, "labels": {"app": "it"}}
    spec = {"containers": [{"name": "it", "image": "example.org/it:1"}]}
    pods = pods_of(cluster)
    live = cluster.apply(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def is_running() -> bool:
        return ((cluster.get(pods, namespace, "it") or {}).get("status") or {}).get("phase", "Running") == "Running"

    eventually(is_running)
    return live


def budget(namespace: str, **rule: Any) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "it"}}, **rule}
    metadata = {"name": "it", "namespace": namespace}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def definition(group: str, kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
