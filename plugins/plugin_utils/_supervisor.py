# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What a k3s server says to a token, asked from the controller."""

from __future__ import annotations

from dataclasses import replace

from ..module_utils._k3s.token import Token
from ..module_utils._kube.server.client import Connection
from ..module_utils._kube.server.credentials import Credentials
from ..module_utils._kube.server.refusal import UnreachableError

_SECONDS = 5.0

# k3s, pkg/server/auth: a token that it does not know is unauthorized; one that it knows may not ask for everything.
_ANSWERS = {200: True, 403: True, 401: False}


def opens(known: Credentials, token: Token) -> bool | None:
    """Whether this is the server's token; nothing where it cannot be told.

    ``known`` is the way to the server with the authority that it must prove itself by; who we are is left out of it.
    """
    as_server = replace(known, certificate="", key="", headers=lambda: {"Authorization": token.authorization()})
    try:
        answer = Connection(as_server, _SECONDS).answer(
            "GET", "/v1-k3s/readyz", doing="ask k3s whether it knows the token"
        )
    except UnreachableError:
        return None
    return _ANSWERS.get(answer.status)
