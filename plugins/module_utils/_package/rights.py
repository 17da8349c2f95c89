# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Rights that a run needs, asked for before it changes anything.

A run that ends halfway for want of a right is worse than one that does not begin. Who may do everything, as the
administrator of a k3s cluster may, costs one question; and a run that has nothing to do asks none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .._errors import ClusterError
from .._kube.change.steps import Triage
from .._kube.fields import known
from .._kube.manifest import Identity
from .._kube.parallel import in_parallel
from .._kube.port import Cluster
from .._kube.resources import Catalogue, Resource
from .release.record import NAMESPACE

_EVERYTHING = Resource("*", "", "*", "*", namespaced=False)
_TO_WRITE = ("create", "get", "list", "patch", "watch")
_TO_REMOVE = ("delete", "get")


@dataclass(frozen=True, slots=True)
class Right:
    verb: str
    resource: Resource
    namespace: str

    @property
    def place(self) -> str:
        kind = f"{self.resource.plural}.{self.resource.group}".rstrip(".")
        return f"{kind} in namespace {self.namespace}" if self.namespace else f"{kind} in the whole cluster"


def refuse_missing_rights(cluster: Cluster, package: str, catalogue: Catalogue, sorted_out: Triage) -> None:
    """Say all rights that are missing at once, before anything is changed."""
    if cluster.may("*", _EVERYTHING, ""):
        return
    needed = sorted(dict.fromkeys(_needed(catalogue, sorted_out)), key=lambda right: (right.place, right.verb))
    granted = in_parallel(lambda right: cluster.may(right.verb, right.resource, right.namespace), needed)
    missing = [right for right, has in zip(needed, granted, strict=True) if not has]
    if missing:
        told = "\n".join(f"- {line}" for line in _by_place(missing))
        raise ClusterError(
            f"package {package}: nothing was changed, because the user of the kubeconfig lacks rights:\n{told}\n"
            "Give them to that user by a Role or ClusterRole and its binding, or use another kubeconfig",
            reason="forbidden",
            missing=list(_by_place(missing)),
        )


def _needed(catalogue: Catalogue, sorted_out: Triage) -> Iterator[Right]:
    known_kinds = catalogue.with_definitions(sorted_out.doubtful)
    yield from _rights_on(known_kinds, (each.identity for each in sorted_out.doubtful), _TO_WRITE)
    yield from _rights_on(known_kinds, (entry.identity for entry in sorted_out.leftovers), _TO_REMOVE)
    secrets = known(catalogue.find("v1", "Secret"))
    leases = known(catalogue.find("coordination.k8s.io/v1", "Lease"))
    for resource, verbs in (
        (secrets, ("create", "delete", "get", "list", "patch")),
        (leases, ("create", "delete", "get", "patch")),
    ):
        yield from (Right(verb, resource, NAMESPACE) for verb in verbs)


def _rights_on(catalogue: Catalogue, identities: Iterable[Identity], verbs: tuple[str, ...]) -> Iterator[Right]:
    for identity in identities:
        resource = catalogue.preferred(identity.group, identity.kind)
        if resource is not None:
            yield from (Right(verb, resource, identity.namespace) for verb in verbs)


def _by_place(rights: Iterable[Right]) -> Iterator[str]:
    verbs: dict[str, list[str]] = defaultdict(list)
    for right in rights:
        verbs[right.place].append(right.verb)
    yield from (f"{', '.join(found)} {place}" for place, found in verbs.items())
