# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the record proves unchanged, by metadata alone, and what needs a closer look.

Where nothing does, this is all that a run loads and asks: ``plan.py`` and ``examine.py`` are for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..fields import mapping
from ..manifest import Identity, Manifest
from ..parallel import in_parallel
from ..port import Cluster
from ..resources import Catalogue, Collection
from .live import Live, identity_of, owned_digest, uid_of
from .record import Entry, Record
from .steps import SET_LABEL, Policy, Step, Triage, Verb


def read_metadata(
    cluster: Cluster, catalogue: Catalogue, desired: Iterable[Manifest], record: Record, policy: Policy
) -> dict[Identity, Live]:
    """The metadata of everything that carries the package's label, one LIST per kind and namespace."""
    wanted = {
        Collection(catalogue.of(each), each.identity.namespace)
        for each in desired
        if catalogue.serves(each) and not each.create_only
    }
    on_record = {collection for collection in wanted if _is_on_record(collection, record)}
    ordered = sorted(on_record, key=lambda collection: collection.path)
    selector = f"{SET_LABEL}={policy.set_id}"
    lists = in_parallel(lambda each: cluster.list(each, selector=selector, metadata_only=True), ordered)
    return {identity_of(live): live for found in lists for live in found}


def _is_on_record(collection: Collection, record: Record) -> bool:
    """Where nothing is on record nothing can be unchanged: those objects are asked for one by one anyway."""
    group, kind, namespace = collection.resource.group, collection.resource.kind, collection.namespace
    return any(
        not entry.is_pending
        and (entry.identity.group, entry.identity.kind, entry.identity.namespace) == (group, kind, namespace)
        for entry in record.entries
    )


def triage(desired: Sequence[Manifest], live: Mapping[Identity, Live], record: Record) -> Triage:
    """Separate what the record proves unchanged from what must be asked for; `live` needs metadata alone."""
    known, doubtful = {}, []
    for manifest in desired:
        found = live.get(manifest.identity)
        entry = record.by_identity.get(manifest.identity)
        if found is not None and entry is not None and _is_unchanged(manifest, found, entry):
            known[manifest.identity] = found
        else:
            doubtful.append(manifest)
    wanted = {manifest.identity for manifest in desired}
    leftovers = tuple(entry for entry in record.entries if entry.identity not in wanted)
    return Triage(known, tuple(doubtful), leftovers)


def _is_unchanged(manifest: Manifest, live: Live, entry: Entry) -> bool:
    return (
        not entry.is_pending
        and entry.uid == uid_of(live)
        and entry.desired == manifest.digest
        and entry.owned == owned_digest(live)
        and "deletionTimestamp" not in mapping(live, "metadata")
    )


def kept(manifest: Manifest, sorted_out: Triage) -> Step:
    """The step of an object that is unchanged beyond doubt."""
    return Step(Verb.KEEP, manifest.identity, manifest, before=sorted_out.known[manifest.identity])
