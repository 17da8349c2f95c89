# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Changes to a whole package: namespace, labels, annotations, images, replicas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..._errors import InputError
from ..._kube.fields import mapping
from ..._kube.manifest import Manifest
from ..._kube.near_miss import did_you_mean
from ..._kube.resources import is_definition

_SCALED_KINDS = frozenset({"Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"})
_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


def add_metadata(manifests: Iterable[Manifest], field: str, added: Mapping[str, str]) -> list[Manifest]:
    """Add labels or annotations to every object and to the pods it makes; selectors stay, they cannot change."""
    if not added:
        return list(manifests)
    return [
        manifest.with_content(_with_pods(_with(manifest.content, field, added), field, added)) for manifest in manifests
    ]


def add_own_labels(manifests: Iterable[Manifest], added: Mapping[str, str]) -> list[Manifest]:
    """Add labels to the objects alone: pods must not be replaced because a package got another name."""
    return [
        manifest if _is_shared(manifest) else manifest.with_content(_with(manifest.content, "labels", added))
        for manifest in manifests
    ]


def _is_shared(manifest: Manifest) -> bool:
    """A namespace that is made when it is missing may hold other packages, too."""
    return manifest.create_only and manifest.kind == "Namespace"


def _with(content: Mapping[str, Any], field: str, added: Mapping[str, str]) -> dict[str, Any]:
    metadata = content.get("metadata") or {}
    return {**content, "metadata": {**metadata, field: {**(metadata.get(field) or {}), **added}}}


def _with_pods(content: Mapping[str, Any], field: str, added: Mapping[str, str]) -> Mapping[str, Any]:
    if content["kind"] == "CronJob":
        job = mapping(content, "spec", "jobTemplate")
        return (
            _at(content, ("spec", "jobTemplate"), _with_pods({"kind": "Job", **job}, field, added)) if job else content
        )
    template = mapping(content, "spec", "template")
    if not mapping(template, "spec").get("containers"):
        return content  # a custom resource may have a template of another kind
    return _at(content, ("spec", "template"), _with(template, field, added))


def _at(content: Mapping[str, Any], path: Sequence[str], value: Mapping[str, Any]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        kept = {key: part for key, part in value.items() if key != "kind"} if first == "jobTemplate" else value
        return {**content, first: kept}
    return {**content, first: _at(content[first], rest, value)}


def scale(manifests: Sequence[Manifest], replicas: Mapping[str, int], package: str) -> list[Manifest]:
    """Set the number of replicas of workloads by their names."""
    scaled = {manifest.identity.name for manifest in manifests if manifest.kind in _SCALED_KINDS}
    for name in replicas:
        if name not in scaled:
            raise InputError(
                f"package {package}: replicas names {name!r}, which is no workload of it; {did_you_mean(name, scaled)}"
            )
    return [
        manifest.with_content(
            {**manifest.content, "spec": {**manifest.content["spec"], "replicas": replicas[manifest.identity.name]}}
        )
        if manifest.kind in _SCALED_KINDS and manifest.identity.name in replicas
        else manifest
        for manifest in manifests
    ]


_IMAGE = re.compile(r"(?P<name>(?:[^/@]+/)*[^/:@]+)(?P<tag>:[^@/]+)?(?P<digest>@.+)?")


def _parts(image: str) -> tuple[str, str, str]:
    match = _IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


def image_name(image: str) -> str:
    """The full name of an image without tag and digest: nginx is docker.io/library/nginx."""
    name = _parts(image)[0]
    host, slash, _rest = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    is_host = "." in host or ":" in host or host == "localhost"
    return name if is_host else f"docker.io/{name}"


def replace_images(manifests: Sequence[Manifest], images: Mapping[str, str], package: str) -> list[Manifest]:
    """Replace images by name. The new value is a whole image, or only its `:tag`, or only its `@digest`."""
    if not images:
        return list(manifests)
    wanted = {image_name(name): name for name in images}
    met: set[str] = set()
    seen: set[str] = set()

    def replaced(image: str) -> str:
        full_name = image_name(image)
        seen.add(_parts(image)[0])
        if full_name not in wanted:
            return image
        met.add(wanted[full_name])
        new, (name, tag, _digest) = images[wanted[full_name]], _parts(image)
        if new.startswith("@"):
            return f"{name}{tag}{new}"
        return f"{name}{new}" if new.startswith(":") else new

    result = [
        manifest if is_definition(manifest) else manifest.with_content(_map_images(manifest.content, replaced))
        for manifest in manifests
    ]
    for name in images:
        if name not in met:
            unused = f"package {package}: images names {name!r}, which none of its containers uses"
            raise InputError(f"{unused}; {did_you_mean(name, seen)}")
    return result


def _map_images(content: Mapping[str, Any], replaced: Callable[[str], str]) -> dict[str, Any]:
    mapped = {key: _map_inner(value, key, replaced) for key, value in content.items()}
    spec = mapped.get("spec")
    if isinstance(spec, dict) and isinstance(spec.get("image"), str):  # custom resources of operators: Prometheus
        mapped["spec"] = {**spec, "image": replaced(spec["image"])}
    return mapped


def _map_inner(value: Any, key: str, replaced: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _map_inner(part, name, replaced) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    items = [_map_inner(item, "", replaced) for item in value]
    if key in _CONTAINER_LISTS:
        return [_with_image(item, "image", replaced) for item in items]
    if key == "volumes":
        return [
            {**item, "image": _with_image(item["image"], "reference", replaced)}
            if isinstance(item, Mapping) and isinstance(item.get("image"), Mapping)
            else item
            for item in items
        ]
    return items


def _with_image(holder: Any, field: str, replaced: Callable[[str], str]) -> Any:
    if isinstance(holder, Mapping) and isinstance(holder.get(field), str):
        return {**holder, field: replaced(holder[field])}
    return holder
