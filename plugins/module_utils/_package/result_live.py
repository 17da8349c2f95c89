# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What is told about a change of one object: one shape, whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._kube.change.live import uid_of
from .._kube.diff import difference
from .._kube.fields import text
from .._kube.yaml import write_yaml
from .live_object import Changed


def result_of_change(changed: Changed, *, with_diff: bool) -> dict[str, Any]:
    """The answer of the module object_patch."""
    identity, fields = changed.identity, list(changed.fields)
    answer: dict[str, Any] = {
        "changed": bool(fields),
        "message": f"{identity}: {', '.join(fields)} changed" if fields else f"{identity}: unchanged",
        "object": {
            "api_version": text(changed.after, "apiVersion"),
            "kind": identity.kind,
            "namespace": identity.namespace,
            "name": identity.name,
            "uid": uid_of(changed.after),
        },
        "fields": fields,
        "health": {"status": changed.health.status.value, "message": changed.health.message},
        "package": changed.package,
    }
    if with_diff and fields:
        answer["diff"] = [_diff(changed)]
    return answer


def _diff(changed: Changed) -> dict[str, str]:
    differs = difference(changed.before, changed.after)
    return {
        "before_header": f"{changed.identity} before",
        "after_header": f"{changed.identity}, patched",
        "before": write_yaml(differs.before) if differs.before else "",
        "after": write_yaml(differs.after) if differs.after else "",
    }


def warnings_about(changed: Changed) -> Iterator[str]:
    if changed.will_be_taken_back:
        yield (
            f"{changed.identity} belongs to package {changed.package}, whose next run takes this change back;"
            " write the patch into the package to keep it"
        )
