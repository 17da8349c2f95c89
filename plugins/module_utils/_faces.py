# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What the faces share: how a module begins, and how errors become an Ansible result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ._errors import HearthError


class DiscreetModule(AnsibleModule):  # type: ignore[misc]  # ansible-core ships without types
    """A module whose parameters stay out of the machine's log.

    Ansible writes the parameters of every module to syslog, and masks a secret there only where it stands letter by
    letter: a line feed inside of it is written as an escape, and the secret stands in the journal. When a parameter is
    wrong, Ansible also shows all of them before the module could say which are secret.
    """

    _has_begun = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._has_begun = True

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        super()._return_formatted(kwargs if self._has_begun else {"invocation": {}, **kwargs})

    def _log_invocation(self) -> None:
        """Say that the module ran, and nothing else."""
        self.log("Invoked")


@contextmanager
def reporting_errors(module: AnsibleModule) -> Iterator[None]:
    """End the module with the error's message and details; defects of the collection pass through as tracebacks."""
    try:
        yield
    except HearthError as error:
        module.fail_json(msg=str(error), **error.details)
