# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bench.audit import Asked, AuditLog

RECORD = "/api/v1/namespaces/kube-system/secrets/hearth-it"


def event(verb: str, uri: str, start: float, end: float, agent: str = "kubectl/v1") -> dict[str, Any]:
    return {
        "verb": verb,
        "requestURI": uri,
        "userAgent": agent,
        "requestReceivedTimestamp": f"2026-01-01T00:00:{start:09.6f}Z",
        "stageTimestamp": f"2026-01-01T00:00:{end:09.6f}Z",
    }


def test_what_a_tool_asked_is_counted_and_timed_without_overlaps(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    events = [
        event("get", "/apis/apps/v1/deployments", 1, 2),
        event("patch", "/apis/apps/v1/namespaces/a/deployments/b?dryRun=All", 1.5, 2.5),
        event("patch", "/apis/apps/v1/namespaces/a/deployments/b?fieldManager=x", 4, 5),
        event("patch", f"{RECORD}?fieldManager=x", 4.5, 5),
        event("create", "/api/v1/namespaces/default/secrets?fieldManager=helm", 5, 5),
        event("create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 5, 5),
        event("update", "/apis/apps/v1/namespaces/a/deployments/b/status", 0, 9, "kube-controller-manager/v1"),
    ]
    (tmp_path / "audit.log").write_text("".join(json.dumps(each) + "\n" for each in events) + '{"verb": "cut of')
    assert log.since() == Asked(requests=6, writes=1, bookkeeping=2, seconds=2.5)
    assert log.since() == Asked(requests=0, writes=0, bookkeeping=0, seconds=0)
