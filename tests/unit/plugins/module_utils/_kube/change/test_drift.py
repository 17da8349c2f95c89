# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.drift import Deviation, Drift, deviation_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import owned_digest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.record import Entry
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity

OURS = {
    "manager": "hearth",
    "operation": "Apply",
    "apiVersion": "v1",
    "time": "2026-01-01T12:00:00Z",
    "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
}
LESS = {**OURS, "fieldsV1": {"f:data": {"f:b": {}}}}


def live(*others: dict[str, Any], own: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "u", "managedFields": [own or OURS, *others], **metadata}}


def other(manager: str, time: str = "2026-01-01T12:30:00Z", **entry: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": {}, **entry}


ENTRY = Entry(Identity("", "ConfigMap", "n", "it"), "v1", "u", "digest", owned_digest(live()))


@pytest.mark.parametrize(
    ("found", "drift", "managers"),
    [
        (live(), Drift.NONE, ()),
        (live(other("controller")), Drift.NONE, ()),
        (None, Drift.MISSING, ()),
        (live(uid="another"), Drift.REPLACED, ()),
        (live(other("me"), uid="another"), Drift.REPLACED, ("me",)),
        (live(deletionTimestamp="2026-01-01T12:30:00Z"), Drift.TERMINATING, ()),
        (live(other("kubectl-edit"), own=LESS), Drift.CHANGED, ("kubectl-edit",)),
        (live(other("kubectl", time="", subresource="scale"), own=LESS), Drift.CHANGED, ("kubectl",)),
        (live(other("kubelet", subresource="status"), own=LESS), Drift.CHANGED, ()),
        (live(other("earlier", time="2026-01-01T11:00:00Z"), own=LESS), Drift.CHANGED, ()),
    ],
)
def test_what_became_of_an_object(found: dict[str, Any] | None, drift: Drift, managers: tuple[str, ...]) -> None:
    assert deviation_of(ENTRY, found) == Deviation(drift, managers)


def test_an_entry_without_an_object_is_unfinished() -> None:
    assert deviation_of(Entry(ENTRY.identity, "v1"), None).drift is Drift.UNFINISHED
