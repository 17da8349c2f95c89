# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which workloads of a package must answer before its webhooks are registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .._kube.fields import sequence, text
from .._kube.manifest import Identity, Manifest


def backing_workloads(desired: Iterable[Manifest]) -> set[Identity]:
    """The workloads of a package that answer its own webhooks."""
    manifests = list(desired)
    services = {
        (text(hook, "clientConfig", "service", "namespace"), text(hook, "clientConfig", "service", "name"))
        for manifest in manifests
        for hook in sequence(manifest.content, "webhooks")
    }
    selectors = [
        (manifest.identity.namespace, manifest.content["spec"].get("selector") or {})
        for manifest in manifests
        if manifest.kind == "Service" and (manifest.identity.namespace, manifest.identity.name) in services
    ]
    return {
        manifest.identity
        for manifest in manifests
        if manifest.kind in ("DaemonSet", "Deployment", "StatefulSet")
        for namespace, selector in selectors
        if manifest.identity.namespace == namespace and selector and _selects(selector, manifest)
    }


def _selects(selector: Mapping[str, str], manifest: Manifest) -> bool:
    labels = ((manifest.content["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())
