# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages as an operator runs them on a real API server, and looks at what is in the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import Live
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import PROTECTED_KINDS
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection
from ansible_collections.hearth.cluster.plugins.module_utils._package.install import Installer, Outcome
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source
from ansible_collections.hearth.cluster.plugins.module_utils._package.spec import installer_for

from tests.unit.fixtures import FOLDER

# The older and the newer version of each; the first is what most tests use.
PACKAGES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "kube-prometheus": ({"directory": "kube-prometheus/v0.17.0"}, {"directory": "kube-prometheus/v0.18.0"}),
    "metallb": (
        {"directory": "metallb/v0.16.0", "files": ["config/manifests/metallb-native.yaml"]},
        {"directory": "metallb/v0.16.1", "files": ["config/manifests/metallb-native.yaml"]},
    ),
    "longhorn": ({"directory": "longhorn/v1.12.0"}, {"directory": "longhorn/v1.12.1"}),
    "cloudnative-pg": ({"directory": "cloudnative-pg/1.29.2"}, {"directory": "cloudnative-pg/1.30.0"}),
    "tekton-pipeline": ({"directory": "tekton-pipeline/v1.14.1"}, {"directory": "tekton-pipeline/v1.15.0"}),
    "argo-workflows": ({"directory": "argo-workflows/v3.7.0"}, {"directory": "argo-workflows/v4.1.2"}),
}
NAMESPACES = {"argo-workflows": "argo"}


class Operator:
    """Runs packages as the module does, and looks at what is in the cluster."""

    def __init__(self, kubeconfig: Path, **options: Any) -> None:
        params = {
            "kubeconfig": str(kubeconfig),
            "context": None,
            "server": None,
            "request_timeout": 60,
            "search_path": [str(FOLDER / "packages")],
            "lock_file": None,
            "mirrors": {},
            **options,
        }
        self.installer: Installer = installer_for(params, check=False, report=lambda _line: None)
        self.cluster = self.installer.cluster

    def run(self, name: str, source: dict[str, Any] | None = None, **options: Any) -> Outcome:
        content = {"name": name, "wait": False, **({"source": source} if source else {}), **options}
        if name in NAMESPACES:
            content["namespace"] = NAMESPACES[name]
        return self.installer.run(read_package(content, "packages[0]"))

    def apply(self, name: str, *objects: dict[str, Any], **options: Any) -> Outcome:
        """Run a package that has these objects."""
        return self.run(name, {"inline": list(objects)}, **options)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Live | None:
        return self.cluster.get(known(self.cluster.catalogue().find(api_version, kind)), namespace, name)

    def remove(self, name: str) -> Outcome:
        return self.run(name, state="absent", wait=True, prune_also=sorted(PROTECTED_KINDS))

    def identities(self, source: dict[str, Any]) -> set[Identity]:
        fetched = self.installer.fetcher.fetch(read_source(source, "source"))
        return {manifest.identity for manifest in fetched.manifests}

    def kinds(self, name: str) -> list[tuple[str, str]]:
        identities = {each for source in PACKAGES[name] for each in self.identities(source)}
        return sorted({(each.group, each.kind) for each in identities})

    def versions(self, name: str) -> dict[str, str]:
        """The resourceVersion of every object of a package: what a write would change."""
        found = {}
        catalogue = self.cluster.catalogue(fresh=True)
        for group, kind in self.kinds(name):
            resource = catalogue.preferred(group, kind)
            if resource is None:
                continue  # its definition is gone, and all of it with that
            selector = f"hearth.cluster/package={name}"
            for live in self.cluster.list(Collection(resource, ""), selector=selector, metadata_only=True):
                metadata = live["metadata"]
                place = f"{group}/{kind}/{metadata.get('namespace', '')}/{metadata['name']}"
                found[place] = metadata["resourceVersion"]
        return found
