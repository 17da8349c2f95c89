# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What only k3s' own server does, asked over loopback as ``k3s token rotate`` asks it.

The command takes the new token as an argument, which every user of the machine could read.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .._errors import HostError
from .._k3s.diagnosis import mask
from .._k3s.token import Token
from .kube_api import loopback_context

TIMEOUT = 60.0  # the answer comes when the datastore has been written


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The k3s server of this machine."""

    port: int
    authority: Path

    def change_token(self, accepted: Sequence[Token], new: Token) -> None:
        """Have the new token taken. ``accepted``: those of which k3s was started with one."""
        refused = ""
        for token in accepted:
            status, said = self._put(token, json.dumps({"newToken": new.password}))
            if status == 200:
                return
            if status != 401:
                raise HostError(
                    f"k3s did not take the new token (status {status}: {mask(said)}), and nothing was restarted: see "
                    "journalctl -u k3s, restart k3s on this machine, which takes it back to the token it was started "
                    "with, and run again"
                )
            refused = said
        raise HostError(
            "k3s knows none of the tokens in /etc/rancher/k3s/token and server/token, so nothing can be changed "
            f"(it said {mask(refused) or 'nothing'}): restart k3s on this machine and run again"
        )

    def _put(self, token: Token, body: str) -> tuple[int, str]:
        headers = {"Authorization": token.authorization(), "Content-Type": "application/json"}
        try:
            context = loopback_context(self.authority)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT, context=context)
            try:
                connection.request("PUT", "/v1-k3s/token", body, headers)
                answer = connection.getresponse()
                return answer.status, _message(answer.read())
            finally:
                connection.close()
        except (OSError, ssl.SSLError, http.client.HTTPException) as error:
            raise HostError(f"k3s on this machine does not answer at port {self.port}: {error}") from error


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode(errors="replace")
