# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answer to an eviction means; that a real server answers so is shown by the contract."""

from __future__ import annotations

import json

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import why_not_now


def status(reason: str, message: str) -> bytes:
    return json.dumps({"message": "no", "details": {"causes": [{"reason": reason, "message": message}]}}).encode()


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (429, status("DisruptionBudget", "The disruption budget it needs 2"), "The disruption budget it needs 2"),
        (429, status("DisruptionBudget", ""), "no"),
        (429, b'{"message": "too many requests"}', ""),
        (429, b"<html>", ""),
        (403, status("NamespaceTerminating", "x"), "its namespace is being deleted, and takes the pod with it"),
        (403, b'{"message": "forbidden"}', ""),
        (500, status("DisruptionBudget", "more than one"), ""),
    ],
)
def test_what_passes_by_itself_is_told_from_what_does_not(code: int, body: bytes, told: str) -> None:
    assert why_not_now(code, body) == told
