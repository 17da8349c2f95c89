# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. From a package and what was fetched to the objects that shall be in the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .._errors import InputError
from .._kube.change.steps import PACKAGE_LABEL, SET_LABEL
from .._kube.manifest import Manifest, refuse_twins
from .._kube.resources import Catalogue, is_definition
from .._kube.secret_data import as_stored
from .customise.namespace import place
from .customise.transform import add_metadata, add_own_labels, replace_images, scale
from .package import Package
from .release.record import set_id
from .sources.source import is_chart

ReadFiles = Callable[[str], Mapping[str, bytes]]


def build(
    package: Package, fetched: Sequence[Manifest], read_files: ReadFiles, catalogue: Catalogue
) -> tuple[Manifest, ...]:
    """Customise, always in this order: generators, namespace, labels, annotations, images, replicas, patches."""
    manifests = _with_generated(package, fetched, read_files)
    refuse_twins(manifests)
    known = catalogue.with_definitions(filter(is_definition, manifests))
    manifests = place(manifests, package.namespace, known, moves=not is_chart(package.source))
    manifests = add_metadata(manifests, "labels", package.labels)
    manifests = add_metadata(manifests, "annotations", package.annotations)
    manifests = replace_images(manifests, package.images, package.name)
    manifests = scale(manifests, package.replicas, package.name)
    if package.patches:
        from .customise.patches import apply_patches  # noqa: PLC0415  # a package without patches starts without it

        manifests = apply_patches(manifests, package.patches)
    if not any(not manifest.create_only for manifest in manifests):
        raise InputError(f"package {package.name} has no objects; to take it out of the cluster write state: absent")
    refuse_twins(manifests)
    manifests = [manifest.with_content(as_stored(manifest.content)) for manifest in manifests]
    return tuple(add_own_labels(manifests, {PACKAGE_LABEL: package.name, SET_LABEL: set_id(package.name)}))


def _with_generated(package: Package, fetched: Sequence[Manifest], read_files: ReadFiles) -> list[Manifest]:
    if not package.config_maps and not package.secrets:
        return list(fetched)
    from .customise.generate import generate, rewrite_references  # noqa: PLC0415  # as above

    renamed: dict[tuple[str, str], str] = {}
    made = []
    for wanted in (*package.config_maps, *package.secrets):
        manifest = generate(wanted, read_files, f"package {package.name}")
        made.append(manifest)
        if manifest.identity.name != wanted.name:
            renamed[wanted.kind, wanted.name] = manifest.identity.name
    return [*made, *rewrite_references(fetched, renamed)]
