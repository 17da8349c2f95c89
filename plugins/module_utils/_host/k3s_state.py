# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What k3s is on a machine: installed, configured, running, and part of which cluster."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._k3s.config import scalar
from .._k3s.kubeconfig import digest_of
from .._k3s.token import Token
from .kube_api import LocalApi
from .paths import NODE_PASSWORD, Tree
from .systemd import Run, Unit, units

UNITS = {"server": "k3s.service", "agent": "k3s-agent.service"}
BINARY = "/usr/local/bin/k3s"
CONFIG_DIR = "/etc/rancher/k3s"
TOKEN_FILE = f"{CONFIG_DIR}/token"
NEXT_TOKEN_FILE = f"{CONFIG_DIR}/token.next"  # there while the cluster's token is being changed
KUBECONFIG = f"{CONFIG_DIR}/k3s.yaml"
RESTORE_NOTE = "/var/lib/hearth/restore.json"  # there while a restore is not over; role backup writes it
LOAD_BALANCER_PORT = 6444  # where an agent's own load balancer brings one to the API servers
# The program calls itself by the name under which it was started: /proc/77/exe is exe.
_VERSION = re.compile(r"^\S+ version (?P<version>v\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where k3s lies on a machine, and how to ask about it."""

    tree: Tree
    run: Run
    data_dir: str = "/var/lib/rancher/k3s"
    port: int = 6443

    def describe(self, token: str = "") -> dict[str, Any]:
        """Return everything about k3s that the role decides from; secrets stay here."""
        states = units(self.run, list(UNITS.values()))
        installed = [role for role, name in UNITS.items() if states[name].loaded]
        role = installed[0] if installed else ""
        service = states[UNITS[role]] if role else Unit()
        return {
            "role": role,
            "installed_roles": installed,
            "service": service.as_dict(),
            "binary": self._binary(service),
            "running_version": self._version(f"/proc/{service.main_pid}/exe") if service.main_pid else "",
            "room": {"binary": _room(self.tree.path(BINARY).parent), "data": _room(self.tree.path(self.data_dir))},
            "config": self._config(),
            "datastore": self._datastore(),
            "cluster": self._cluster(),
            "node_password": self.tree.has(NODE_PASSWORD),
            "token_file": self._token_file(token),
            "token_matches": self._token_matches(token),
            "token_changes": self.tree.has(NEXT_TOKEN_FILE),
            "restore": self._restore(),
            "images": self.tree.names(f"{self.data_dir}/agent/images"),
            "api": self._api(role, service),
            "kubeconfig_digest": self._kubeconfig_digest(),
        }

    def api_of(self, role: str) -> LocalApi:
        """The API server as a machine of this role reaches it."""
        data_dir = self.tree.path(self.data_dir)
        if role == "server":
            return LocalApi.of_server(data_dir, self.port)
        return LocalApi.of_agent(data_dir, LOAD_BALANCER_PORT)

    def _api(self, role: str, service: Unit) -> dict[str, Any]:
        if role != "server" or service.active != "active":
            return {"ready": False, "nodes": []}
        api = self.api_of(role)
        ready = api.ready()
        return {"ready": ready, "nodes": api.nodes() if ready else []}

    def _binary(self, service: Unit) -> dict[str, Any]:
        path = self.tree.path(BINARY)
        if not path.is_file():
            return {"present": False, "sha256": "", "modified_at": None, "version": ""}
        return {
            "present": True,
            "sha256": _sha256(path),
            "modified_at": path.stat().st_mtime,
            # To ask costs as much as to start it, and what runs is the better answer.
            "version": "" if service.main_pid else self._version(BINARY),
        }

    def _version(self, executable: str) -> str:
        """Ask the running program itself: after an upgrade that was cut short, the file on disk is newer than it."""
        _rc, out, _err = self.run([str(self.tree.path(executable)), "--version"])
        match = _VERSION.search(out)
        return match["version"] if match else ""

    def _config(self) -> dict[str, Any]:
        text = self.tree.text(f"{CONFIG_DIR}/config.yaml")
        return {"server": scalar(text, "server"), "cluster_init": scalar(text, "cluster-init") == "true"}

    def _datastore(self) -> str:
        database = f"{self.data_dir}/server/db"
        if self.tree.has(f"{database}/etcd/member/wal"):
            return "etcd"
        return "sqlite" if self.tree.has(f"{database}/state.db") else ""

    def _cluster(self) -> str:
        """The SHA-256 of the cluster's CA, as tokens carry it."""
        in_token = Token.parse(self.tree.text(f"{self.data_dir}/server/token")).ca_hash
        if in_token:
            return in_token
        for certificate in ("server/tls/server-ca.crt", "agent/server-ca.crt"):
            text = self.tree.text(f"{self.data_dir}/{certificate}")
            if text:
                return hashlib.sha256(text.encode()).hexdigest()
        return ""

    def tokens(self) -> list[Token]:
        """The token k3s is started with, and on a server the one it knows to be the cluster's."""
        texts = [self.tree.text(path).strip() for path in (TOKEN_FILE, f"{self.data_dir}/server/token")]
        return [Token.parse(text) for text in texts if text]

    def _token_file(self, token: str) -> dict[str, Any]:
        text = self.tree.text(TOKEN_FILE)
        present = bool(text.strip())
        return {
            "present": present,
            "cluster": Token.parse(text).ca_hash,
            "matches": _agree(token, text),
            "modified_at": self.tree.path(TOKEN_FILE).stat().st_mtime if present else None,
        }

    def _token_matches(self, token: str) -> bool | None:
        return _agree(token, self.tree.text(f"{self.data_dir}/server/token") or self.tree.text(TOKEN_FILE))

    def _restore(self) -> dict[str, Any]:
        text = self.tree.text(RESTORE_NOTE)
        note = json.loads(text) if text else {}
        return {"backup": note["backup"], "in_place": note.get("in_place", False)} if note else {}

    def _kubeconfig_digest(self) -> str:
        text = self.tree.text(KUBECONFIG)
        found = [
            re.search(rf"^\s*{key}: (\S+)$", text, re.MULTILINE)
            for key in ("certificate-authority-data", "client-certificate-data")
        ]
        return digest_of(found[0][1], found[1][1]) if found[0] and found[1] else ""


def _room(path: Path) -> dict[str, Any]:
    """The file system of a place, or of where it would be made, and the bytes that are free there."""
    there = next(place for place in (path, *path.parents) if place.exists())
    system = os.statvfs(there)
    return {"path": str(there), "device": there.stat().st_dev, "free": system.f_bavail * system.f_frsize}


def _agree(token: str, present: str) -> bool | None:
    """Compare here, so that neither a token nor a digest of one ever leaves the machine."""
    if not token or not present.strip():
        return None
    return Token.parse(token).agrees_with(Token.parse(present))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
