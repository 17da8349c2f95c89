# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate authority of one bare API server: keys, certificates, and the kubeconfig made of them."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=7)
SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
SERVER_ADDRESSES = ("127.0.0.1", "10.43.0.1")


@dataclass(frozen=True)
class Authority:
    """Signs what one API server needs; all files lie in ``directory``, keys readable by their owner alone."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, directory: Path) -> Authority:
        key = _new_key()
        builder = _unsigned("hearth-bare-ca", "", key.public_key()).issuer_name(_name("hearth-bare-ca"))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        authority = cls(directory, key, builder.sign(key, hashes.SHA256()))
        directory.mkdir(parents=True)
        authority._write("ca.crt", _pem(authority.certificate))
        return authority

    def issue_server(self) -> None:
        """``server.crt`` and ``server.key`` for the addresses that the API server has."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
        self._issue("server", "kube-apiserver", "", ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names))

    def issue_client(self, file: str, user: str, group: str = "") -> None:
        """``<file>.crt`` and ``<file>.key`` for a user, in a group if one is named."""
        self._issue(file, user, group, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def issue_kubelet(self, node: str, address: str) -> None:
        """The two pairs that k3s gives to the kubelet of a node: one to serve with, one to show who it is."""
        names = [x509.DNSName(node), x509.IPAddress(ipaddress.ip_address(address))]
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        self._issue("serving-kubelet", node, "", usage, x509.SubjectAlternativeName(names))
        self.issue_client("client-kubelet", f"system:node:{node}", "system:nodes")

    def issue_token_key(self) -> None:
        """``tokens.key`` and ``tokens.pub`` sign and verify service account tokens."""
        key = _new_key()
        self._write("tokens.key", _private_pem(key))
        self._write("tokens.pub", key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def kubeconfig(self, client: str, server: str) -> str:
        """A kubeconfig that carries its certificates, so that it works wherever it is copied to. JSON is YAML too."""
        certificate, key = (self.directory / f"{client}.crt", self.directory / f"{client}.key")
        cluster = {"server": server, "certificate-authority-data": _base64(self.directory / "ca.crt")}
        user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hearth-bare", "cluster": cluster}],
            "users": [{"name": client, "user": user}],
            "contexts": [{"name": "hearth-bare", "context": {"cluster": "hearth-bare", "user": client}}],
            "current-context": "hearth-bare",
        }
        return json.dumps(document, indent=2) + "\n"

    def _issue(
        self, file: str, user: str, group: str, usage: x509.ObjectIdentifier, names: x509.ExtensionType | None
    ) -> None:
        key = _new_key()
        builder = _unsigned(user, group, key.public_key()).issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        self._write(f"{file}.crt", _pem(builder.sign(self.key, hashes.SHA256())))
        self._write(f"{file}.key", _private_pem(key))

    def _write(self, name: str, content: bytes) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(content)


# RFC 5280, which Python enforces from 3.13 on, wants to be told what a key is for and which key signed a certificate.
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(user: str, group: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _unsigned(user: str, group: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    # Backdated a little: another machine's clock, or a suspended one's, may lag.
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(user, group))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
