# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the lookups that ask a cluster share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleLookupError

from ..module_utils._errors import HearthError


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Raise the errors that a person can mend as errors of a lookup; defects of the collection pass through."""
    try:
        yield
    except HearthError as error:
        raise AnsibleLookupError(str(error)) from None  # Ansible would say it twice


def plain(value: Any) -> Any:
    """A value as JSON has it. Ansible's own mappings and lists render their templates only when they are asked."""
    document: Any = json.loads(json.dumps(_rendered(value)))
    return document


def _rendered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _rendered(part) for key, part in value.items()}
    return [_rendered(part) for part in value] if isinstance(value, list | tuple) else value
