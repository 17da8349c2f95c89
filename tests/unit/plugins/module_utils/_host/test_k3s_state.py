# SPDX-License-Identifier: GPL-3.0-or-later
"""What k3s is on a machine, with every secret left there."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ansible_collections.hearth.cluster.plugins.module_utils._host.k3s_state import Installation
from ansible_collections.hearth.cluster.plugins.module_utils._host.systemd import units
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._host.machine import answering, tree, unit

CA = "a" * 64
DATA = "/var/lib/rancher/k3s"
SERVER = {
    "/usr/local/bin/k3s": "binary",
    "/etc/rancher/k3s/config.yaml": "cluster-init: true\ntoken-file: /etc/rancher/k3s/token\n",
    "/etc/rancher/k3s/token": "hidden-password\n",
    "/etc/rancher/node/password": "hidden-node-password\n",
    "/etc/rancher/k3s/k3s.yaml": (
        "  certificate-authority-data: Q0E=\n  client-certificate-data: Q0VSVA==\n  client-key-data: hidden\n"
    ),
    f"{DATA}/server/token": f"K10{CA}::server:hidden-password\n",
    f"{DATA}/server/db/etcd/member/wal/0.wal": "",
    f"{DATA}/agent/images/hearth-nginx-1.tar": "",
}
UNITS = (
    unit("k3s.service", ActiveState="activating")
    + "\n\n"
    + unit("k3s-agent.service", LoadState="not-found", MainPID="0")
)


def installation(root: Path, files: dict[str, str], shown: str = UNITS) -> Installation:
    return Installation(tree(root, files), answering({"systemctl show": shown}))


def test_a_server_with_etcd_is_described(tmp_path: Path) -> None:
    k3s = installation(tmp_path, SERVER).describe(token="hidden-password")
    assert (k3s["role"], k3s["datastore"], k3s["cluster"]) == ("server", "etcd", CA)
    assert k3s["config"] == {"server": "", "cluster_init": True}
    written = k3s["token_file"].pop("modified_at")
    assert abs(written - time.time()) < 60
    assert k3s["token_file"] == {"present": True, "cluster": "", "matches": True}
    assert k3s["token_changes"] is False
    assert k3s["restore"] == {}
    assert k3s["token_matches"] is True
    assert k3s["node_password"] is True
    assert k3s["images"] == ["hearth-nginx-1.tar"]
    assert k3s["kubeconfig_digest"]
    assert k3s["service"]["started_at"] is not None


def test_the_running_program_is_asked_for_its_version(tmp_path: Path) -> None:
    said = {
        "systemctl show": UNITS,
        f"{tmp_path}/proc/77/exe --version": "exe version v1.36.3+k3s1 (058b1515)\ngo 1.26\n",
    }
    k3s = Installation(tree(tmp_path, SERVER), answering(said)).describe()
    assert (k3s["running_version"], k3s["binary"]["version"]) == ("v1.36.3+k3s1", "")


def test_where_nothing_runs_the_binary_is_asked(tmp_path: Path) -> None:
    shown = unit("k3s.service", ActiveState="failed", MainPID="0")
    said = {"systemctl show": shown, f"{tmp_path}/usr/local/bin/k3s --version": "k3s version v1.36.3+k3s1 (058b1515)\n"}
    k3s = Installation(tree(tmp_path, SERVER), answering(said)).describe()
    assert (k3s["running_version"], k3s["binary"]["version"]) == ("", "v1.36.3+k3s1")


def test_no_secret_leaves_the_machine(tmp_path: Path) -> None:
    assert "hidden" not in json.dumps(installation(tmp_path, SERVER).describe(token="another"))


def test_another_token_is_noticed(tmp_path: Path) -> None:
    assert installation(tmp_path, SERVER).describe(token="another")["token_matches"] is False


def test_a_change_of_the_token_leaves_the_two_places_different(tmp_path: Path) -> None:
    changing = {**SERVER, "/etc/rancher/k3s/token.next": "hidden-new\n", f"{DATA}/server/token": "hidden-new\n"}
    k3s = installation(tmp_path, changing).describe(token="hidden-new")
    assert (k3s["token_matches"], k3s["token_file"]["matches"], k3s["token_changes"]) == (True, False, True)
    tokens = installation(tmp_path, changing).tokens()
    assert [token.password for token in tokens] == ["hidden-password", "hidden-new"]


def test_a_restore_that_is_not_over_is_noticed(tmp_path: Path) -> None:
    note = {"backup": "20261127T030000Z", "cluster": CA, "in_place": True, "given_back": ["db"]}
    k3s = installation(tmp_path, {**SERVER, "/var/lib/hearth/restore.json": json.dumps(note)}).describe()
    assert k3s["restore"] == {"backup": "20261127T030000Z", "in_place": True}


def test_without_a_token_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert installation(tmp_path, SERVER).describe()["token_matches"] is None


def test_a_blank_machine_is_described_too(tmp_path: Path) -> None:
    k3s = installation(tmp_path, {}, "").describe(token="x")
    assert (k3s["role"], k3s["datastore"], k3s["cluster"], k3s["token_matches"]) == ("", "", "", None)
    assert k3s["binary"] == {"present": False, "sha256": "", "modified_at": None, "version": ""}
    assert k3s["api"] == {"ready": False, "nodes": []}


def test_sqlite_is_a_datastore_of_its_own(tmp_path: Path) -> None:
    files = {f"{DATA}/server/db/state.db": ""}
    assert installation(tmp_path, files).describe()["datastore"] == "sqlite"


def test_a_database_that_has_moved_to_etcd_counts_as_etcd(tmp_path: Path) -> None:
    files = {f"{DATA}/server/db/state.db.migrated": "", f"{DATA}/server/db/etcd/member/wal/0.wal": ""}
    assert installation(tmp_path, files).describe()["datastore"] == "etcd"


def test_a_queued_start_is_seen() -> None:
    run = answering({"systemctl show": unit("k3s.service", ActiveState="inactive", Job="1100")})
    assert units(run, ["k3s.service"])["k3s.service"].queued


def test_a_unit_that_systemd_does_not_know_is_not_loaded() -> None:
    found = units(answering({"systemctl show": unit("x.service", LoadState="not-found")}), ["x.service", "y.service"])
    assert [one.loaded for one in found.values()] == [False, False]
