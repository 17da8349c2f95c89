# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The tokens of k3s: their forms, and when two of them mean the same.

full      K10<sha256 of the cluster's CA>::<user>:<password>
short     <password>
bootstrap <6 characters>.<16 characters>, short or full; lets agents join and expires
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from dataclasses import dataclass, field

_BOOTSTRAP = re.compile(r"^[a-z0-9]{6}\.[a-z0-9]{16}$")
_PASSWORD = re.compile(r"^[!#-+\--~]+$")  # k3s keeps passwords in a table with commas and quotation marks
_FULL = re.compile(r"^K10(?P<ca>[0-9a-f]{64})::(?P<rest>.+)$")


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. The password is kept out of every representation."""

    password: str = field(repr=False)
    ca_hash: str = ""

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read any of the forms; surrounding white space does not count, as in k3s."""
        text = text.strip()
        match = _FULL.match(text)
        if match is None:
            return cls(password=text)
        user, colon, password = match["rest"].partition(":")
        return cls(password=password if colon else user, ca_hash=match["ca"])

    def full(self, cluster: str) -> str:
        """Write it for a cluster whose CA is known, as servers give it out."""
        return f"K10{cluster}::server:{self.password}"

    def authorization(self) -> str:
        """The HTTP header's value with which a server asks another one (RFC 7617)."""
        return f"Basic {b64encode(f'server:{self.password}'.encode()).decode()}"

    def problem(self) -> str:
        """Say why this cannot become a cluster's token; nothing if it can."""
        if _BOOTSTRAP.match(self.password):
            return (
                "has the form of a bootstrap token (six characters, a dot, sixteen), which k3s takes for nothing else"
            )
        if not _PASSWORD.match(self.password) or "::" in self.password or self.password.startswith("K10"):
            return (
                "may hold letters, digits and signs, but no white space, comma, quotation mark or '::', "
                "and must not begin with K10"
            )
        return ""

    def agrees_with(self, other: Token) -> bool:
        """Tell whether both open the same cluster, as far as the two forms let one see."""
        if self.ca_hash and other.ca_hash and self.ca_hash != other.ca_hash:
            return False
        return hmac.compare_digest(self.password.encode(), other.password.encode())
