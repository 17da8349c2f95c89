# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a bare API server, checked as a client and a server check them: by a handshake."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import pytest

from tests.lab.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority.create(tmp_path / "pki")
    authority.issue_server()
    authority.issue_client("admin", "admin", "system:masters")
    authority.issue_token_key()
    return authority


def handshake(directory: Path, address: str) -> ssl.SSLObject:
    """Both ends in memory; the server's, which then knows who the client is."""
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(directory / "ca.crt"))
    server_side.load_cert_chain(directory / "server.crt", directory / "server.key")
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    client_side.load_cert_chain(directory / "admin.crt", directory / "admin.key")
    upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(downward, upward, server_hostname=address)
    server = server_side.wrap_bio(upward, downward, server_side=True)
    for _turn in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return server


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_both_ends_trust_each_other(authority: Authority, address: str) -> None:
    certificate = handshake(authority.directory, address).getpeercert()
    assert certificate is not None
    assert certificate["subject"] == ((("organizationName", "system:masters"),), (("commonName", "admin"),))


def test_another_host_is_not_the_server(authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'example\.org'"):
        handshake(authority.directory, "example.org")


def test_another_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    other = Authority.create(tmp_path / "other")
    (authority.directory / "ca.crt").write_bytes((other.directory / "ca.crt").read_bytes())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(authority.directory, "127.0.0.1")


def test_keys_are_private(authority: Authority) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in authority.directory.iterdir()}
    assert set(modes.values()) == {0o600}


def test_the_kubeconfig_carries_all_it_needs(authority: Authority) -> None:
    document = json.loads(authority.kubeconfig("admin", "https://127.0.0.1:6443"))
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert set(document["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
