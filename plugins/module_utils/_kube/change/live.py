# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is read from an object as the API server has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..fields import field, group_of, mapping, sequence, text
from ..manifest import Identity, digest_of

# The one name under which this collection owns fields.
FIELD_MANAGER = "hearth"

Live = Mapping[str, Any]


def identity_of(live: Live) -> Identity:
    return Identity(
        group_of(live), text(live, "kind"), text(live, "metadata", "namespace"), text(live, "metadata", "name")
    )


def uid_of(live: Live) -> str:
    return text(live, "metadata", "uid")


def label_of(live: Live, label: str) -> str:
    return text(mapping(live, "metadata", "labels"), label)


def own_entry(live: Live) -> Mapping[str, Any] | None:
    """The managedFields entry that says which fields this collection applied, None where it applied none."""
    for entry in sequence(live, "metadata", "managedFields"):
        if (
            text(entry, "manager") == FIELD_MANAGER
            and text(entry, "operation") == "Apply"
            and not text(entry, "subresource")
        ):
            return mapping(entry)
    return None


def owned_digest(live: Live) -> str:
    """A digest of the fields that are still as this collection applied them.

    The server removes a field from our entry as soon as anybody else changes it, so an equal digest proves that all
    of them still hold what was applied.
    """
    entry = own_entry(live)
    return digest_of([entry.get("apiVersion"), entry.get("fieldsV1")]) if entry else ""


def is_controlled(live: Live) -> bool:
    """Whether a controller made this object (a ReplicaSet of a Deployment, for example)."""
    return any(field(owner, "controller") is True for owner in sequence(live, "metadata", "ownerReferences"))
