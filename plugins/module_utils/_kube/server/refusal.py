# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What an API server says when it refuses, translated once.

The answer is a Status object. Its messages can quote what was sent, so those about a Secret are replaced by the names
of the fields they are about.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..._errors import ClusterError
from ..fields import sequence, text


class Reason(StrEnum):
    """Why a request was refused, as far as it matters for what to do next."""

    CONFLICT = "conflict"  # another manager owns fields that would change
    STALE = "stale"  # the object changed meanwhile, or is another one than expected
    IMMUTABLE = "immutable"
    INVALID = "invalid"
    MISFIT = "misfit"  # the document does not fit the schema that the server knows (at present)
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"  # these credentials lack a right
    DENIED = "denied"  # a rule of the cluster (a quota, a policy, a webhook) does not allow it
    UNAUTHORIZED = "unauthorized"
    WEBHOOK = "webhook"  # an admission or conversion webhook cannot be called (yet)
    NO_DRY_RUN = "no_dry_run"  # a webhook with side effects does not take part in dry runs
    BUSY = "busy"  # passes by itself: overload, a new etcd leader, a server that starts
    OTHER = "other"


# Refusals whose words can quote the document.
_QUOTING = frozenset({Reason.DENIED, Reason.IMMUTABLE, Reason.INVALID, Reason.MISFIT, Reason.OTHER})
PASSING = frozenset({Reason.WEBHOOK, Reason.BUSY})


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """One field that another manager owns."""

    field: str
    manager: str


class RefusedError(ClusterError):
    """The API server answered, and said no."""

    def __init__(
        self,
        message: str,
        reason: Reason,
        *,
        status: int = 0,
        conflicts: tuple[FieldConflict, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, reason=reason.value)
        self.reason = reason
        self.status = status
        self.conflicts = conflicts
        self.retry_after = retry_after
        if conflicts:
            self.details["conflicts"] = [{"field": each.field, "manager": each.manager} for each in conflicts]


class UnreachableError(ClusterError):
    """No API server answered. `passing`: it may answer later, for example while it restarts."""

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message, reason="unreachable")
        self.passing = passing


_WEBHOOK = re.compile(
    r"failed calling (?:admission )?webhook|conversion webhook for .* failed|no endpoints available for service"
)
_BUSY = re.compile(
    r"etcdserver: (?:leader changed|request timed out|too many requests|no leader)|database is locked|"
    r"the server is currently unable to handle the request|apiserver not ready|server is starting|"
    r"the server could not find the requested resource"
)
_IMMUTABLE = re.compile(
    r"is immutable|immutable field|may not be changed|may not change|cannot change roleRef|field can not be changed|"
    r"updates to statefulset spec for fields|updates to \w+ are forbidden"
)
# The server says 500 where the document does not fit the schema; that does not pass by itself.
_MISFIT = re.compile(r"failed to create typed patch object|duplicate entries for key|strict decoding error")
_NO_RIGHT = re.compile(r'User "[^"]*" cannot \w+ (?:resource|path)')
_NO_DRY_RUN = re.compile(r"does not support dry run")
_CONFLICT_MANAGER = re.compile(r'conflict with "([^"]*)"(?: with subresource "([^"]*)")?')


def refusal(status_code: int, body: bytes, *, doing: str, secret: bool = False, retry_after: str = "") -> RefusedError:
    """Make an error of a refused request; `doing` says what was tried, on which object."""
    status = _status_of(body)
    message = text(status, "message") or body[:300].decode(errors="replace").strip() or f"HTTP {status_code}"
    conflicts = _conflicts_of(status)
    reason = _reason_of(status_code, status, message, conflicts)
    said = _without_values(status, reason) if secret and reason in _QUOTING else message
    return RefusedError(
        _sentence(doing, reason, said, conflicts),
        reason,
        status=status_code,
        conflicts=conflicts,
        retry_after=float(retry_after) if retry_after.isdigit() else None,
    )


def _status_of(body: bytes) -> Mapping[str, Any]:
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _conflicts_of(status: Mapping[str, Any]) -> tuple[FieldConflict, ...]:
    found = []
    for cause in sequence(status, "details", "causes"):
        match = _CONFLICT_MANAGER.search(text(cause, "message"))
        if text(cause, "reason") == "FieldManagerConflict" and match:
            manager, subresource = match.groups()
            found.append(FieldConflict(text(cause, "field"), f"{manager}/{subresource}" if subresource else manager))
    return tuple(found)


def _reason_of(
    status_code: int, status: Mapping[str, Any], message: str, conflicts: tuple[FieldConflict, ...]
) -> Reason:
    if conflicts:
        return Reason.CONFLICT
    for pattern, reason in (
        (_MISFIT, Reason.MISFIT),
        (_NO_DRY_RUN, Reason.NO_DRY_RUN),
        (_WEBHOOK, Reason.WEBHOOK),
        (_BUSY, Reason.BUSY),
    ):
        if pattern.search(message):
            return reason
    if status_code == 422:
        return Reason.IMMUTABLE if _is_immutable(status, message) else Reason.INVALID
    by_code = {
        400: Reason.INVALID,
        401: Reason.UNAUTHORIZED,
        403: Reason.FORBIDDEN if _NO_RIGHT.search(message) else Reason.DENIED,
        404: Reason.NOT_FOUND,
        409: Reason.STALE,
        413: Reason.INVALID,
    }
    if status_code in by_code:
        return by_code[status_code]
    return Reason.BUSY if status_code == 429 or status_code >= 500 else Reason.OTHER


def _is_immutable(status: Mapping[str, Any], message: str) -> bool:
    causes = [text(cause, "message") for cause in sequence(status, "details", "causes")]
    # Mixed with other faults it is no question of recreating: the object is wrong anyhow.
    return all(_IMMUTABLE.search(cause) for cause in causes) if causes else bool(_IMMUTABLE.search(message))


def _without_values(status: Mapping[str, Any], reason: Reason) -> str:
    fields = sorted({text(cause, "field") for cause in sequence(status, "details", "causes")} - {""})
    where = f" in {', '.join(fields)}" if fields else ""
    return f"{reason.value}{where} (the server's own words could quote secret values and are not shown)"


def _sentence(doing: str, reason: Reason, said: str, conflicts: tuple[FieldConflict, ...]) -> str:
    if conflicts:
        owned = "; ".join(f"{each.field} is owned by {each.manager}" for each in conflicts)
        return f"Cannot {doing}: {owned}"
    remedies = {
        Reason.UNAUTHORIZED: "the API server does not accept these credentials; fetch the kubeconfig again",
        Reason.FORBIDDEN: "give the user of the kubeconfig this right, or use another kubeconfig",
        Reason.WEBHOOK: "the service behind this webhook does not answer; look at its pods",
        Reason.BUSY: "the API server is not able to answer at present; run again",
    }
    remedy = f"; {remedies[reason]}" if reason in remedies else ""
    return f"Cannot {doing}: {said}{remedy}"


def retry_delay(error: ClusterError, attempt: int) -> float | None:
    """How long to wait before trying again, None where trying again cannot help."""
    if isinstance(error, RefusedError) and error.retry_after is not None and error.reason in PASSING:
        return error.retry_after
    is_passing = error.reason in PASSING if isinstance(error, RefusedError) else getattr(error, "passing", False)
    return float(min(8.0, 0.5 * 2**attempt)) if is_passing else None
