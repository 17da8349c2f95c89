# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The errors that a person can cause and mend.

HearthError
├── InputError     what the operator wrote is wrong: an option, a file, a document
├── FetchError     a source could not be had, or is not what it was
├── ClusterError   the API server said no, or could not be reached
├── NotReadyError  something was asked for, was accepted, and did not become healthy in time
└── HostError      a machine is not what it must be

A message has up to four parts: what was tried, on which object or file, what came back, what to do about it.
``details`` holds the same facts under stable keys, so that a playbook can branch on them.
"""

from __future__ import annotations

from typing import Any


class HearthError(Exception):
    """Root of all errors that faces translate; anything else is a defect of the collection."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details: dict[str, Any] = details


class InputError(HearthError):
    """What the operator wrote is wrong; nothing has been changed."""


class FetchError(HearthError):
    """A source could not be fetched, or its digest is not the one on record."""


class ClusterError(HearthError):
    """The API server refused a request or could not be reached."""


class NotReadyError(HearthError):
    """A change was made and its objects did not become healthy in time."""


class HostError(HearthError):
    """A machine lacks something that must be mended on it first."""
