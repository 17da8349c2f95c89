# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of k3s means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.certificates import report

DAY = 24 * 60 * 60 * 10**9


def entry(file: str = "client-admin.crt", days: float = 364.9, **differences: Any) -> dict[str, Any]:
    return {
        "Filename": file,
        "Subject": "system:admin",
        "Issuer": "k3s-client-ca@1",
        "Usages": ["ClientAuth"],
        "ExpiryTime": "2027-11-27T03:00:00Z",
        "ResidualTime": int(days * DAY),
        "Status": "OK",
        **differences,
    }


def authority(days: float = 3649.0) -> dict[str, Any]:
    return entry("client-admin.crt", days, Subject="k3s-client-ca@1", Usages=["CertSign"])


def answer(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"rc": 0, "stdout": json.dumps({"Certificates": entries}), "stderr": "level=info"}


def test_those_that_end_first_come_first_and_each_authority_once() -> None:
    told = report({"pi1": answer(authority(), entry("b.crt"), authority(), entry("a.crt", 200))})
    assert [line.split()[-1] for line in told["lines"]] == ["a.crt", "b.crt", "(authority)"]
    assert "200 days, until 2027-11-27" in told["lines"][0]
    assert told["warnings"] == []


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (entry(days=119.5, Status="WARNING"), ["pi1", "client-admin.crt", "ends in 119 days", "renew=true"]),
        (entry(days=-1.5, Status="EXPIRED"), ["client-admin.crt", "ended on 2027-11-27"]),
        (entry(Status="NOT YET VALID"), ["client-admin.crt", "clock"]),
        (authority(days=30), ["k3s-client-ca@1", "ends in 30 days", "rotate-ca"]),
    ],
)
def test_what_deserves_attention(certificate: dict[str, Any], words: list[str]) -> None:
    (warning,) = report({"pi1": answer(certificate)})["warnings"]
    assert all(word in warning for word in words)


def test_120_days_are_enough() -> None:
    assert report({"pi1": answer(entry(days=120.5))})["warnings"] == []


def test_a_machine_that_cannot_tell_is_named() -> None:
    told = report(
        {"pi1": {"rc": 2, "stdout": "", "stderr": "No such file or directory: b'k3s'"}, "pi2": answer(entry())}
    )
    assert told["warnings"] == ["pi1: k3s could not be asked for its certificates: No such file or directory: b'k3s'"]
    assert len(told["lines"]) == 1
