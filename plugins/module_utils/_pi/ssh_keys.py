# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Telling an SSH key from what is none, and the public half of a host key."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from .._errors import InputError

_TYPES = {
    "ssh-ed25519": "ed25519",
    "ssh-rsa": "rsa",
    "ecdsa-sha2-nistp256": "ecdsa",
    "ecdsa-sha2-nistp384": "ecdsa",
    "ecdsa-sha2-nistp521": "ecdsa",
    "sk-ssh-ed25519@openssh.com": "ed25519-sk",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ecdsa-sk",
}
_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A machine's own key: its kind as in ssh_host_KIND_key, and both halves."""

    kind: str
    private: str
    public: str


def check_public_key(text: str) -> None:
    """Refuse what sshd would silently ignore in authorized_keys."""
    shown = f"{text[:24]}..." if len(text) > 24 else text
    if "PRIVATE KEY" in text:
        raise InputError(
            "One of the SSH keys is a private key; give the public one, the content of the file with '.pub'."
        )
    words = text.split()
    if "\n" in text.strip() or len(words) < 2 or words[0] not in _TYPES:
        raise InputError(f"'{shown}' is not an SSH public key; it must begin with its type, such as ssh-ed25519.")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        raise InputError(f"The SSH key '{shown}' is damaged: its second word is not base64.") from None
    if _strings(blob)[:1] != [words[0].encode()]:
        raise InputError(f"The SSH key '{shown}' is cut off or is of another type than it says.")


def read_host_key(private: str) -> HostKey:
    """The public half stands in the clear at the head of an unencrypted OpenSSH key."""
    match = re.fullmatch(
        r"-----BEGIN OPENSSH PRIVATE KEY-----\s(.*)-----END OPENSSH PRIVATE KEY-----\s*", private.lstrip(), re.DOTALL
    )
    if not match:
        raise InputError("A host key must be a private key in OpenSSH's own format, as ssh-keygen writes it.")
    try:
        blob = base64.b64decode("".join(match.group(1).split()), validate=True)
    except binascii.Error:
        raise InputError("A host key is damaged: it is not base64.") from None
    cipher, public = _head(blob)
    if cipher != b"none":
        raise InputError("A host key must not have a passphrase; sshd could not read it.")
    name = (_strings(public) or [b""])[0].decode(errors="replace")
    if name not in _TYPES or _TYPES[name].endswith("-sk"):
        raise InputError(f"A host key is of the type '{name}', which sshd does not use for itself.")
    return HostKey(_TYPES[name], private.strip() + "\n", f"{name} {base64.b64encode(public).decode()}\n")


def _head(blob: bytes) -> tuple[bytes, bytes]:
    """The cipher and the public key: strings 1 and 4, before which the number of keys stands."""
    body = blob.removeprefix(_MAGIC)
    lead = _strings(body, 3)
    at = sum(4 + len(string) for string in lead) + 4
    keys = _strings(body[at:], 1)
    if body == blob or len(lead) < 3 or not keys:
        raise InputError("A host key is cut off.")
    return lead[0], keys[0]


def _strings(blob: bytes, most: int = 1) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < most and len(blob) >= 4:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            break
        found.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return found
