# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Ask the server what an apply would do; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..fields import known, text
from ..manifest import Identity, Manifest
from ..parallel import in_parallel
from ..port import Cluster
from ..resources import Catalogue, Collection, is_definition
from ..server.refusal import Reason, RefusedError
from .claims import Verdict, judge
from .field_path import without
from .growth import growths
from .live import Live
from .order import defined_kinds
from .steps import SET_LABEL, Observation, Policy, Triage


@dataclass(frozen=True)
class Examiner:
    """Looks at objects one by one; `coming` are the namespaces that this run makes."""

    cluster: Cluster
    catalogue: Catalogue
    policy: Policy
    coming: frozenset[str]
    changing_kinds: frozenset[tuple[str, str]]

    def observe(self, manifest: Manifest) -> Observation:
        identity = manifest.identity
        served = self.catalogue.find(manifest.api_version, manifest.kind)
        readable = served or self.catalogue.preferred(identity.group, identity.kind)
        if readable is None:
            return Observation(unpredicted="its kind is defined in this same run")
        live = self.cluster.get(readable, identity.namespace, identity.name)
        if (manifest.create_only and live is not None) or _has_other_owner(live, self.policy):
            return Observation(live)
        if served is None:
            return Observation(live, unpredicted="its version is defined in this same run")
        if live is None and is_definition(manifest):
            return Observation()  # a dry run would take the server as long as the real thing, and say nothing new
        return self._dry_run(manifest, live)

    def _dry_run(self, manifest: Manifest, live: Live | None) -> Observation:
        resource, content = self.catalogue.of(manifest), manifest.content
        verdict = Verdict()
        try:
            try:
                predicted = self.cluster.apply(resource, content, dry_run=True)
            except RefusedError as error:
                verdict = judge(error.conflicts, self.policy.claims)
                if not error.conflicts or verdict.open:
                    raise
                content = without(content, [conflict.field for conflict in verdict.left])
                predicted = self.cluster.apply(resource, content, dry_run=True, force=bool(verdict.taken))
        except RefusedError as error:
            excuse = self._excuse(manifest, live, error)
            return Observation(live, unpredicted=excuse) if excuse else self._refused(manifest, live, error)
        return Observation(live, predicted, overruled=verdict.taken, left=verdict.left)

    def _refused(self, manifest: Manifest, live: Live | None, error: RefusedError) -> Observation:
        is_recreated = error.reason is Reason.IMMUTABLE and live is not None
        if not is_recreated or manifest.kind != "StatefulSet":
            return Observation(live, refusal=error)
        namespace = manifest.identity.namespace
        claims = known(self.catalogue.find("v1", "PersistentVolumeClaim"))
        found = growths(manifest, known(live), self.cluster.list(Collection(claims, namespace)))
        for growth in found:
            try:
                self.cluster.patch(claims, namespace, growth.claim, growth.patch, kind="merge", dry_run=True)
            except RefusedError as refused:
                remedy = "leave its size as it is, or make its StorageClass allow that (allowVolumeExpansion: true)"
                return Observation(live, obstacle=f"its claim {growth} cannot grow: {refused}; {remedy}")
        return Observation(live, refusal=error, growth=found)

    def _excuse(self, manifest: Manifest, live: Live | None, error: RefusedError) -> str:
        """Why the server could not say what will happen; empty where its refusal is the truth."""
        identity = manifest.identity
        if error.reason is Reason.NOT_FOUND and live is None and identity.namespace in self.coming:
            return "its namespace is made in this same run"
        changes = (identity.group, identity.kind) in self.changing_kinds
        if changes and error.reason in (Reason.INVALID, Reason.MISFIT):
            return "the definition of its kind changes in this same run"
        if error.reason is Reason.NO_DRY_RUN:
            return "a webhook with side effects takes no part in dry runs"
        return "a webhook does not answer at present" if error.reason is Reason.WEBHOOK else ""

    def look(self, identity: Identity) -> Observation:
        resource = self.catalogue.preferred(identity.group, identity.kind)
        live = self.cluster.get(resource, identity.namespace, identity.name) if resource else None
        return Observation(live)


def _has_other_owner(live: Live | None, policy: Policy) -> bool:
    labels = ((live or {}).get("metadata") or {}).get("labels")
    return text(labels, SET_LABEL) not in ("", policy.set_id)


def examine(
    cluster: Cluster,
    catalogue: Catalogue,
    desired: Sequence[Manifest],
    sorted_out: Triage,
    policy: Policy,
    *,
    coming: frozenset[str] = frozenset(),
) -> Mapping[Identity, Observation]:
    """Observe every doubtful manifest and every leftover of a triage; `coming` are namespaces that others bring."""
    own = frozenset(each.identity.name for each in desired if each.kind == "Namespace" and not each.group)
    examiner = Examiner(cluster, catalogue, policy, own | coming, defined_kinds(sorted_out.doubtful))
    seen = in_parallel(examiner.observe, sorted_out.doubtful)
    left = in_parallel(examiner.look, [entry.identity for entry in sorted_out.leftovers])
    return {
        **{manifest.identity: observation for manifest, observation in zip(sorted_out.doubtful, seen, strict=True)},
        **{entry.identity: observation for entry, observation in zip(sorted_out.leftovers, left, strict=True)},
    }
