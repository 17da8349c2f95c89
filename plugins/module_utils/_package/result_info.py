# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about installed packages: one shape, whatever there is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .._kube.change.drift import Drift
from .._kube.change.record import Release
from .survey import SeenObject, SeenPackage

_ACCESS = re.compile(r"(?<=://)[^/@\s]*@")


def result_of_survey(packages: Iterable[SeenPackage]) -> dict[str, Any]:
    """The answer of the module package_info."""
    return {"changed": False, "packages": [_package(each) for each in packages]}


def _package(seen: SeenPackage) -> dict[str, Any]:
    record, drifts = seen.record, Counter(each.deviation.drift for each in seen.objects)
    return {
        "name": record.package,
        "installed": bool(record.entries),
        **_origin(record.origin),
        "release": record.release,
        "healthy": record.healthy,
        "health": {"status": seen.health.status.value, "message": seen.health.message},
        "drifted": any(drifts[drift] for drift in Drift if drift),
        "counts": {
            "objects": len(seen.objects),
            "ready": sum(each.health.is_current for each in seen.objects),
            **{drift.value: drifts[drift] for drift in Drift if drift},
        },
        "objects": [_object(each) for each in seen.objects],
        "history": [_release(each, seen) for each in record.history],
    }


def _origin(origin: Mapping[str, str]) -> dict[str, str]:
    """Where it came from; a name and a password in an address are no one else's business."""
    return {
        "source": _ACCESS.sub("", origin.get("source", "")),
        "version": origin.get("version", ""),
        "digest": origin.get("digest", ""),
    }


def _object(seen: SeenObject) -> dict[str, Any]:
    identity = seen.entry.identity
    return {
        "api_version": seen.entry.api_version,
        "kind": identity.kind,
        "namespace": identity.namespace,
        "name": identity.name,
        "health": {"status": seen.health.status.value, "message": seen.health.message},
        "drift": seen.deviation.drift.value,
        "managers": list(seen.deviation.managers),
        "fields": list(seen.fields),
    }


def _release(release: Release, seen: SeenPackage) -> dict[str, Any]:
    return {
        "release": release.number,
        "current": release.number == seen.record.release,
        "made": seen.times.get(release.number, ""),
        **_origin(release.origin),
        "objects": release.objects,
        "healthy": release.healthy,
        "withdrawn": release.withdrawn,
    }
