# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. JMESPath expressions over objects; the only importer of the library ``jmespath``."""

from __future__ import annotations

from typing import Any

from .._errors import InputError


class Query:
    """One expression, compiled; `place` says where the operator wrote it."""

    def __init__(self, expression: str, place: str) -> None:
        try:
            import jmespath  # noqa: PLC0415  # here and not above: most runs ask nothing, and should not wait for it
        except ImportError as error:
            raise InputError(
                f"{place} needs the Python library jmespath; install it with 'pip install jmespath'"
            ) from error
        self._expression = expression
        self._place = place
        self._failure: type[Exception] = jmespath.exceptions.JMESPathError
        try:
            self._compiled = jmespath.compile(expression)
        except self._failure as error:
            problem = str(error).splitlines()[0]
            raise InputError(f"{place}: {expression!r} is no JMESPath expression: {problem}") from error

    def __str__(self) -> str:
        return self._expression

    def of(self, content: Any) -> Any:
        try:
            return self._compiled.search(content)
        except self._failure as error:
            raise InputError(f"{self._place}: {self._expression!r} cannot be asked of an object: {error}") from error

    def holds_for(self, content: Any) -> bool:
        """Whether the answer is anything but false, null or empty."""
        answer = self.of(content)
        return answer not in (None, False, "", [], {})
