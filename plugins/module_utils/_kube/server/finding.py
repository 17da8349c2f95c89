# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which servers of one cluster answer at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..parallel import in_parallel
from .client import Access, connect
from .refusal import UnreachableError

_SECONDS = 5.0  # a server of the same house that takes longer is of no use


def answering(access: Access, addresses: Sequence[str]) -> list[str]:
    """Those addresses, in their order, at which an API server says that it is ready; all are asked at once."""
    ready = in_parallel(lambda address: _is_ready(replace(access, server=address, request_timeout=_SECONDS)), addresses)
    return [address for address, is_ready in zip(addresses, ready, strict=True) if is_ready]


def _is_ready(access: Access) -> bool:
    try:
        return connect(access).answer("GET", "/readyz", doing="ask whether it is ready").status == 200
    except UnreachableError:
        return False
