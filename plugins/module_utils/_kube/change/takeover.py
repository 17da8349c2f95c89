# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Take an object over from the tool that made it, without what that tool leaves behind.

Tools that do not apply on the server's side own their fields as "Update". Beside such an owner, a field that a package
leaves out would stay for ever. So on adoption what those tools own becomes this collection's, and the apply that
follows removes what the package does not have. Controllers keep what is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..fields import field, mapping, sequence, text
from .live import FIELD_MANAGER, Live

_LAST_APPLIED = "f:kubectl.kubernetes.io/last-applied-configuration"

# kubectl (client-side apply, create, replace), the libraries that Ansible's collections use, Helm, and k3s' deploying.
_TOOLS = re.compile(
    r"kubectl-(client-side-apply|create|replace)|before-first-apply|helm|OpenAPI-Generator|Python-urllib3"
    r"|Swagger-Codegen|deploy@.*"
)
_APPLYING_TOOLS = re.compile(r"kubectl|helm|before-first-apply")


def takeover_patch(live: Live) -> list[dict[str, Any]]:
    """The JSON patch that makes other tools' fields this collection's, empty where there are none."""
    entries = sequence(live, "metadata", "managedFields")
    taken = [entry for entry in entries if _is_a_tools(entry)]
    if not taken:
        return []
    own = [entry for entry in entries if _is_ours(entry)]
    fields: Mapping[str, Any] = {}
    for entry in (*own, *taken):
        fields = _united(fields, mapping(entry, "fieldsV1"))
    ours = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": taken[-1]["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    rest = [entry for entry in entries if entry not in taken and entry not in own]
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [*rest, ours]},
        # Refused if the object changed meanwhile: the entries would be out of date.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": text(live, "metadata", "resourceVersion")},
    ]


def takeover_names(live: Live) -> tuple[str, ...]:
    """Whose fields would be taken over, for people."""
    return tuple(
        sorted({entry["manager"] for entry in sequence(live, "metadata", "managedFields") if _is_a_tools(entry)})
    )


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return text(entry, "manager") == FIELD_MANAGER and text(entry, "operation") == "Apply"


def _is_a_tools(entry: Mapping[str, Any]) -> bool:
    if text(entry, "subresource"):
        return False
    manager = text(entry, "manager")
    if text(entry, "operation") == "Apply":
        return _APPLYING_TOOLS.fullmatch(manager) is not None
    keeps_last_applied = field(entry, "fieldsV1", "f:metadata", "f:annotations", _LAST_APPLIED) is not None
    return keeps_last_applied or _TOOLS.fullmatch(manager) is not None


def _united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, **{key: _united(mapping(one, key), branch) for key, branch in other.items()}}
