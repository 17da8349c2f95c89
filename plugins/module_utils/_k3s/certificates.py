# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. How long certificates are good for, from what ``k3s certificate check`` prints as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RENEWED_BELOW = 120  # days; k3s renews such certificates when it starts
_DAY = 24 * 60 * 60 * 10**9


@dataclass(frozen=True, slots=True, order=True)
class Certificate:
    """One certificate on one machine; those that end first come first."""

    days: int
    file: str
    subject: str
    date: str
    status: str
    authority: bool

    def line(self) -> str:
        name = f"{self.subject} (authority)" if self.authority else self.file
        return f"{self.days:>6} days, until {self.date}  {name}"

    def warning(self) -> str:
        """Say what is wrong with it; nothing while it is good for long enough."""
        if self.status == "NOT YET VALID":
            return f"{self.file} ({self.subject}) is not valid before {self.date}: compare the clock (timedatectl)"
        if self.days >= RENEWED_BELOW:
            return ""
        ends = f"ended on {self.date}" if self.days < 0 else f"ends in {self.days} days, on {self.date}"
        if self.authority:
            return f"the authority {self.subject} {ends}: make a new one with k3s certificate rotate-ca"
        return f"{self.file} {ends}: k3s renews it at its next start, or renew it now with -e renew=true"


def report(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Tell for each machine what it has, and what deserves attention.

    ``answers`` are the results of the command, with ``rc``, ``stdout`` and ``stderr``.
    """
    lines, warnings = [], []
    for name, answer in answers.items():
        if answer["rc"] != 0:
            warnings.append(
                f"{name}: k3s could not be asked for its certificates: {answer['stderr'].strip() or 'it is silent'}"
            )
            continue
        certificates = _read(answer["stdout"])
        lines += [f"{name}: {certificate.line()}" for certificate in certificates]
        warnings += [f"{name}: {warning}" for warning in (one.warning() for one in certificates) if warning]
    return {"lines": lines, "warnings": warnings}


def _read(text: str) -> list[Certificate]:
    """Each file holds a certificate and the authority that signed it, so authorities come many times."""
    return sorted({_certificate(entry) for entry in json.loads(text)["Certificates"]})


def _certificate(entry: Mapping[str, Any]) -> Certificate:
    authority = "CertSign" in entry["Usages"]
    return Certificate(
        days=entry["ResidualTime"] // _DAY,
        file="" if authority else entry["Filename"],
        subject=entry["Subject"],
        date=entry["ExpiryTime"][:10],
        status=entry["Status"],
        authority=authority,
    )
