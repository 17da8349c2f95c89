# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Move a package into one namespace, and give every object the namespace it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._kube.manifest import Manifest
from ..._kube.resources import Catalogue

_ALWAYS_THERE = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})


def place(manifests: Sequence[Manifest], namespace: str, catalogue: Catalogue, *, moves: bool = True) -> list[Manifest]:
    """Set the namespace of everything that has one; without a wish it is `default` where a manifest says nothing.

    A chart was told the namespace when it was rendered: what it puts elsewhere is put there on purpose, and not moved.
    """
    placed = [_placed(manifest, namespace, catalogue, moves) for manifest in manifests]
    if not namespace:
        return placed
    if not moves:
        return _with_namespace(placed, namespace, frozenset())
    moved = {
        (old.kind, old.identity.namespace, old.identity.name)
        for old, new in zip(manifests, placed, strict=True)
        if old.identity != new.identity
    }
    followed = [manifest.with_content(_follow(manifest.content, moved, namespace)) for manifest in placed]
    left_behind = frozenset(manifest.identity.namespace for manifest in manifests) - {"", namespace}
    return _with_namespace(followed, namespace, left_behind)


def _placed(manifest: Manifest, namespace: str, catalogue: Catalogue, moves: bool) -> Manifest:
    stated = manifest.identity.namespace
    if not catalogue.of(manifest).namespaced:
        if not stated:
            return manifest
        metadata = {key: value for key, value in manifest.content["metadata"].items() if key != "namespace"}
        return manifest.with_content({**manifest.content, "metadata": metadata})
    wanted = (namespace or stated if moves else stated or namespace) or "default"
    return manifest if stated == wanted else manifest.with_metadata(namespace=wanted)


def _with_namespace(placed: list[Manifest], namespace: str, left_behind: frozenset[str]) -> list[Manifest]:
    """Drop namespaces that everything has moved out of, and see to it that the new one is there.

    A namespace that the package does not bring itself is made when it is missing, and else left to whoever owns it.
    """
    kept = [each for each in placed if not (_is_namespace(each) and each.identity.name in left_behind)]
    if namespace in _ALWAYS_THERE or any(_is_namespace(each) and each.identity.name == namespace for each in kept):
        return kept
    content = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    return [Manifest(content, f"namespace {namespace} of the package", create_only=True), *kept]


def _is_namespace(manifest: Manifest) -> bool:
    return manifest.kind == "Namespace" and not manifest.group


def _follow(value: Any, moved: set[tuple[str, str, str]], namespace: str, key: str = "") -> Any:
    """Let references to moved service accounts and services follow them."""
    if isinstance(value, list):
        return [_follow(item, moved, namespace, key) for item in value]
    if not isinstance(value, Mapping):
        return value
    followed = {name: _follow(part, moved, namespace, name) for name, part in value.items()}
    referred = {"subjects": "ServiceAccount", "service": "Service"}.get(key)
    if key == "subjects" and value.get("kind") != "ServiceAccount":
        referred = None
    if referred and isinstance(value.get("name"), str):
        stated = value.get("namespace") or ""
        if (referred, stated, value["name"]) in moved or (referred, "", value["name"]) in moved:
            followed["namespace"] = namespace
    return followed
