# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which kinds a cluster serves, and under which path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .._errors import InputError
from .fields import mapping, sequence, text
from .manifest import Identity, Manifest


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version, as the API server names it in its paths."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class Collection:
    """All objects of one kind in one namespace: what one LIST or one WATCH covers."""

    resource: Resource
    namespace: str

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace)


class Catalogue:
    """The kinds that a cluster serves; earlier resources of a group and kind are preferred."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources = tuple(resources)
        self._exact = {(each.api_version, each.kind): each for each in reversed(self._resources)}
        self._preferred = {(each.group, each.kind): each for each in reversed(self._resources)}

    def find(self, api_version: str, kind: str) -> Resource | None:
        return self._exact.get((api_version, kind))

    def preferred(self, group: str, kind: str) -> Resource | None:
        return self._preferred.get((group, kind))

    def of(self, manifest: Manifest) -> Resource:
        """The resource of a manifest, or an error that says what was probably meant."""
        found = self.find(manifest.api_version, manifest.kind)
        if found is None:
            raise InputError(
                f"{manifest.origin}: this cluster has no kind {manifest.kind} in {manifest.api_version}"
                f" ({manifest.identity}); {self._advice(manifest)}"
            )
        return found

    def serves(self, manifest: Manifest) -> bool:
        return self.find(manifest.api_version, manifest.kind) is not None

    def collection_of(self, identity: Identity) -> Collection | None:
        resource = self.preferred(identity.group, identity.kind)
        return Collection(resource, identity.namespace) if resource else None

    def with_definitions(self, manifests: Iterable[Manifest]) -> Catalogue:
        """This catalogue and, behind it, the kinds that CustomResourceDefinitions among the manifests will add."""
        added = [resource for manifest in manifests for resource in _defined_by(manifest.content)]
        return Catalogue((*self._resources, *added)) if added else self

    def kinds(self) -> set[tuple[str, str]]:
        """Group and kind of everything in the catalogue."""
        return set(self._preferred)

    def api_versions(self) -> tuple[str, ...]:
        """Every group/version and group/version/Kind, as charts ask for them."""
        versions = {each.api_version for each in self._resources}
        kinds = {f"{each.api_version}/{each.kind}" for each in self._resources}
        return tuple(sorted(versions | kinds))

    def _advice(self, manifest: Manifest) -> str:
        same_kind = sorted({each.api_version for each in self._resources if each.kind == manifest.kind})
        if same_kind:
            return f"it has {manifest.kind} in {' and '.join(same_kind)}: correct apiVersion"
        near = get_close_matches(manifest.kind, sorted({each.kind for each in self._resources}), n=3, cutoff=0.75)
        if near:
            return f"did you mean {' or '.join(near)}?"
        return "install the package that brings its CustomResourceDefinition first (depends_on orders packages)"


def is_definition(manifest: Manifest) -> bool:
    return manifest.kind == "CustomResourceDefinition" and manifest.group == "apiextensions.k8s.io"


def _defined_by(content: Mapping[str, Any]) -> Iterable[Resource]:
    if content.get("kind") != "CustomResourceDefinition":
        return
    group, names = text(content, "spec", "group"), mapping(content, "spec", "names")
    for version in sequence(content, "spec", "versions"):
        if isinstance(version, Mapping) and version.get("served"):
            yield Resource(
                group,
                text(version, "name"),
                text(names, "kind"),
                text(names, "plural"),
                text(content, "spec", "scope") == "Namespaced",
            )


def resources_of_discovery(answer: Mapping[str, Any]) -> Iterable[Resource]:
    """Read one aggregated discovery document (APIGroupDiscoveryList).

    A version whose server is down comes without resources: it is passed over, because it must not stop everything else.
    """
    for group in sequence(answer, "items"):
        group_name = text(group, "metadata", "name")
        for version in sequence(group, "versions"):
            for resource in sequence(version, "resources"):
                kind = text(resource, "responseKind", "kind")
                if kind:
                    yield Resource(
                        group_name,
                        text(version, "version"),
                        kind,
                        text(resource, "resource"),
                        text(resource, "scope") == "Namespaced",
                    )
