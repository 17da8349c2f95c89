# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The kind that a person names, among those that a cluster serves."""

from __future__ import annotations

from .._errors import InputError
from .fields import known
from .near_miss import did_you_mean
from .resources import Catalogue, Resource


def resource_named(catalogue: Catalogue, name: str, api_version: str = "") -> Resource:
    """Find `Kind`, or `Kind.group` where several groups have it; the core group wins, as kubectl has it too."""
    kind, _dot, group = name.partition(".")
    if api_version:
        found = catalogue.find(api_version, kind)
        if found is None:
            raise InputError(f"this cluster has no kind {kind} in {api_version}; {_versions_of(catalogue, kind)}")
        return found
    groups = sorted(each for each, served in catalogue.kinds() if served == kind and (not group or each == group))
    if not groups:
        raise InputError(f"this cluster has no kind {name}; {did_you_mean(name, _names(catalogue))}")
    if len(groups) > 1 and groups[0]:
        raise InputError(
            f"several groups have the kind {kind}; write {' or '.join(f'{kind}.{each}' for each in groups)}"
        )
    return known(catalogue.preferred(groups[0], kind))


def _names(catalogue: Catalogue) -> set[str]:
    kinds = catalogue.kinds()
    return {kind for _group, kind in kinds} | {f"{kind}.{group}" for group, kind in kinds if group}


def _versions_of(catalogue: Catalogue, kind: str) -> str:
    preferred = (catalogue.preferred(group, served) for group, served in sorted(catalogue.kinds()) if served == kind)
    versions = [each.api_version for each in preferred if each is not None]
    if versions:
        return f"it has {kind} in {' and '.join(versions)}"
    return did_you_mean(kind, (served for _group, served in catalogue.kinds()))
