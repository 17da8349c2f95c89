# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What templates may know about the package and the cluster that they are rendered for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..._errors import InputError
from ..._kube.resources import Catalogue
from .values import Values


def _no_version() -> str:
    raise InputError("this chart asks for the version of the cluster, and there is none to ask")


@dataclass(frozen=True)
class Situation:
    """For which package something is built. The cluster is asked only by what needs to know."""

    package: str = "package"
    namespace: str = ""
    values: Values = ()
    version: Callable[[], str] = _no_version
    catalogue: Callable[[], Catalogue] = lambda: Catalogue(())
