# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.order import (
    Stage,
    defined_kinds,
    deletion_rank,
    stage_of,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.plan import decide, plan
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.prune import decide_leftover
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.record import (
    Entry,
    Record,
    applied_entry,
    superset,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import (
    SET_LABEL,
    Observation,
    Policy,
    Verb,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.triage import triage
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import (
    FieldConflict,
    Reason,
    RefusedError,
)

from tests.support.contract import definition

POLICY = Policy("mine")


def wanted(kind: str = "ConfigMap", name: str = "a", api: str = "v1", **content: Any) -> Manifest:
    metadata = {"name": name, "namespace": "n", "labels": {SET_LABEL: "mine"}}
    return Manifest({"apiVersion": api, "kind": kind, "metadata": metadata, **content}, "a.yaml:1")


def live(manifest: Manifest, uid: str = "u1", owner: str = "mine", **metadata: Any) -> dict[str, Any]:
    """The object as it is after it was applied."""
    labels = {SET_LABEL: owner} if owner else {}
    entry = {"manager": "hearth", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {}}}
    own = {"uid": uid, "labels": labels, "managedFields": [entry], **metadata}
    return {**manifest.content, "metadata": {**manifest.content["metadata"], **own}}


def refused(reason: Reason, *conflicts: FieldConflict) -> RefusedError:
    return RefusedError("Cannot apply it: the server said no", reason, conflicts=conflicts)


def test_what_the_record_proves_unchanged_needs_no_look() -> None:
    manifest = wanted(data={"k": "1"})
    there = live(manifest)
    record = Record("p", (applied_entry(manifest, there),))
    sorted_out = triage([manifest], {manifest.identity: there}, record)
    assert sorted_out.doubtful == ()
    assert plan("p", [manifest], sorted_out, {}, POLICY).changed is False


@pytest.mark.parametrize(
    "change",
    [
        "not listed",
        "another uid",
        "another wish",
        "a field lost to another manager",
        "pending on record",
        "not on record",
        "being deleted",
    ],
)
def test_whatever_differs_from_the_record_is_doubtful(change: str) -> None:
    manifest = wanted(data={"k": "1"})
    there = live(manifest)
    entries: tuple[Entry, ...] = (applied_entry(manifest, there),)
    found = {manifest.identity: there}
    if change == "not listed":
        found = {}
    elif change == "another uid":
        there["metadata"]["uid"] = "u2"
    elif change == "another wish":
        manifest = wanted(data={"k": "2"})
    elif change == "a field lost to another manager":
        there["metadata"]["managedFields"][0]["fieldsV1"] = {}
    elif change == "pending on record":
        entries = (Entry(manifest.identity, "v1"),)
    elif change == "not on record":
        entries = ()
    else:
        there["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert triage([manifest], found, Record("p", entries)).doubtful == (manifest,)


MAP = wanted(data={"k": "1"})
CHANGED = {**live(MAP), "data": {"k": "0"}}


@pytest.mark.parametrize(
    ("seen", "verb", "fields"),
    [
        (Observation(), Verb.CREATE, ()),
        (Observation(None, MAP.content), Verb.CREATE, ()),
        (Observation(live(MAP), live(MAP)), Verb.KEEP, ()),
        (Observation(CHANGED, live(MAP)), Verb.UPDATE, ("data.k",)),
        (Observation(live(MAP, owner=""), live(MAP)), Verb.ADOPT, (f'metadata.labels["{SET_LABEL}"]',)),
        (Observation(CHANGED, unpredicted="no dry run"), Verb.UPDATE, ("data.k",)),
        (Observation(live(MAP, owner="theirs")), Verb.CONFLICT, ()),
        (Observation(live(MAP, deletionTimestamp="now")), Verb.CONFLICT, ()),
        (Observation(live(MAP), refusal=refused(Reason.CONFLICT, FieldConflict(".data.k", "x"))), Verb.CONFLICT, ()),
        (Observation(live(MAP), refusal=refused(Reason.INVALID)), Verb.CONFLICT, ()),
        (Observation(CHANGED, refusal=refused(Reason.IMMUTABLE)), Verb.RECREATE, ("data.k",)),
    ],
)
def test_one_object_one_step(seen: Observation, verb: Verb, fields: tuple[str, ...]) -> None:
    step = decide(MAP, seen, POLICY)
    assert (step.verb, step.fields) == (verb, fields)


@pytest.mark.parametrize(
    ("kind", "allowed", "verb"),
    [
        ("Job", False, Verb.RECREATE),
        ("RoleBinding", False, Verb.RECREATE),
        ("StatefulSet", False, Verb.RECREATE),
        ("Deployment", False, Verb.CONFLICT),
        ("Deployment", True, Verb.RECREATE),
        ("Service", False, Verb.CONFLICT),
        ("PersistentVolumeClaim", True, Verb.CONFLICT),
        ("Namespace", True, Verb.CONFLICT),
        ("CustomResourceDefinition", True, Verb.CONFLICT),
    ],
)
def test_what_cannot_change_is_made_anew_only_where_that_is_allowed(kind: str, allowed: bool, verb: Verb) -> None:
    manifest = wanted(kind, spec={"a": 1})
    seen = Observation({**live(manifest), "spec": {"a": 2}}, refusal=refused(Reason.IMMUTABLE))
    step = decide(manifest, seen, Policy("mine", recreate=allowed))
    assert step.verb is verb
    assert "recreate: true" in step.reason or kind != "Deployment" or allowed


def test_what_is_made_once_is_never_touched_again() -> None:
    manifest = Manifest(MAP.content, create_only=True)
    assert decide(manifest, Observation(live(MAP, owner="theirs")), POLICY).verb is Verb.KEEP
    assert decide(manifest, Observation(), POLICY).verb is Verb.CREATE


def test_a_conflict_names_the_owner_and_the_remedy() -> None:
    foreign = live(MAP, owner="theirs")
    foreign["metadata"]["labels"]["hearth.cluster/package"] = "other"
    assert "belongs to the package other" in decide(MAP, Observation(foreign), POLICY).reason
    error = refused(Reason.CONFLICT, FieldConflict(".data.k", "operator"))
    step = decide(MAP, Observation(live(MAP), refusal=error), POLICY)
    assert "force: [{manager: operator, fields: ['.data.k']}]" in step.reason
    assert "a.yaml:1" in step.reason


def entry(manifest: Manifest, uid: str = "u1") -> Entry:
    return Entry(manifest.identity, "v1", uid, "d", "o")


@pytest.mark.parametrize(
    ("found", "recorded", "policy", "outcome"),
    [
        (None, "u1", POLICY, None),
        (live(MAP), "u1", POLICY, Verb.PRUNE),
        (live(MAP, owner=""), "u1", POLICY, Verb.PRUNE),  # somebody took the label off; it is still ours
        (live(MAP, uid="u2"), "u1", POLICY, Verb.KEEP),
        (live(MAP, owner="theirs"), "u1", POLICY, Verb.KEEP),
        (live(MAP, ownerReferences=[{"controller": True}]), "u1", POLICY, Verb.KEEP),
        (live(MAP, annotations={"helm.sh/resource-policy": "keep"}), "u1", POLICY, Verb.KEEP),
        (live(MAP), "u1", Policy("mine", prune=False), Verb.KEEP),
        (live(MAP), "", POLICY, Verb.PRUNE),  # a run was interrupted between record and apply
        (live(MAP, owner=""), "", POLICY, Verb.KEEP),
        (live(MAP, uid="wanted"), "wanted", POLICY, None),  # the same object under a new group
        (live(MAP, deletionTimestamp="now"), "u1", POLICY, None),
    ],
)
def test_leftovers_are_pruned_only_beyond_doubt(
    found: dict[str, Any] | None, recorded: str, policy: Policy, outcome: Verb | None
) -> None:
    step = decide_leftover(entry(MAP, recorded), found, policy, {"wanted"})
    assert (step.verb if step else None) is outcome


@pytest.mark.parametrize("kind", ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "PersistentVolume"])
def test_what_holds_other_things_is_pruned_only_by_name(kind: str) -> None:
    manifest = wanted(kind)
    kept = decide_leftover(entry(manifest), live(manifest), POLICY, set())
    assert kept is not None
    assert kept.verb is Verb.KEEP
    assert f"name {kind}/a in prune_also" in kept.reason
    for named in (kind, f"{kind}/a"):
        step = decide_leftover(entry(manifest), live(manifest), Policy("mine", prune_also=frozenset({named})), set())
        assert step is not None
        assert step.verb is Verb.PRUNE


def test_new_objects_are_on_record_before_they_are_written() -> None:
    known, new = wanted(name="a"), wanted(name="b")
    record = Record("p", (entry(known),), healthy=True)
    grown = superset(record, [known, new])
    assert [(each.identity.name, each.is_pending) for each in grown.entries] == [("a", False), ("b", True)]
    same = Record("p", (replace(entry(known), desired=known.digest),), healthy=True)
    assert superset(same, [known]) is same


def test_what_is_about_to_change_is_not_on_record_as_it_was() -> None:
    manifest = wanted(name="a")
    before = Record("p", (entry(manifest),), healthy=True)
    (now,) = superset(before, [manifest]).entries
    assert (now.uid, now.desired, now.is_pending) == (entry(manifest).uid, "", False)


def test_stages_follow_what_objects_need() -> None:
    defined = defined_kinds([Manifest(definition("example.org", "Thing"))])
    stages = {
        Stage.FOUNDATION: [wanted("Namespace"), wanted("CustomResourceDefinition", api="apiextensions.k8s.io/v1")],
        Stage.SETTINGS: [
            wanted("Secret"),
            wanted("Role", api="rbac.authorization.k8s.io/v1"),
            wanted("PersistentVolumeClaim"),
        ],
        Stage.WORKLOADS: [wanted("Deployment", api="apps/v1"), wanted("Service")],
        Stage.WEBHOOKS: [wanted("APIService", api="apiregistration.k8s.io/v1")],
        Stage.CUSTOM: [wanted("Thing", api="example.org/v1"), wanted("Certificate", api="cert-manager.io/v1")],
    }
    for stage, manifests in stages.items():
        for manifest in manifests:
            assert stage_of(manifest.identity, defined) is stage


def test_custom_resources_are_deleted_first_and_namespaces_last() -> None:
    order = [
        wanted("Thing", api="example.org/v1"),
        wanted("ValidatingWebhookConfiguration", api="admissionregistration.k8s.io/v1"),
        wanted("Deployment", api="apps/v1"),
        wanted("Secret"),
        wanted("CustomResourceDefinition", api="apiextensions.k8s.io/v1"),
        wanted("Namespace"),
    ]
    ranks = [deletion_rank(manifest.identity) for manifest in order]
    assert ranks == sorted(set(ranks))
