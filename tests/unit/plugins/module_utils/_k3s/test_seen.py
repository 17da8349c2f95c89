# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers as the API shows them serve the same decisions as servers whose machines were looked at."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.filter import k3s as filters
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import host_of
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.seen import cluster_of, record_of

AUTHORITY = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
SERVERS = ["pi1", "pi2", "pi3"]


def node(name: str, *roles: str, address: str = "") -> dict[str, Any]:
    number = name[-1]
    return {
        "metadata": {"name": name, "labels": {f"node-role.kubernetes.io/{role}": "true" for role in roles}},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "InternalIP", "address": address or f"10.0.0.{number}"},
            ],
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "EtcdIsVoter")],
            "nodeInfo": {"architecture": "arm64", "machineID": f"machine-{number}", "bootID": f"boot-{number}"},
        },
    }


def host(name: str, **variables: Any) -> dict[str, str]:
    usual = {"inventory_hostname": name, "inventory_hostname_short": name, "ansible_host": f"10.0.0.{name[-1]}"}
    return host_of({**usual, **variables})


def record(one: dict[str, str], *nodes: dict[str, Any]) -> dict[str, Any] | None:
    return record_of(one, nodes, authority=AUTHORITY, certificate="certificate")


def blank(name: str) -> dict[str, Any]:
    """What a look at a machine without k3s gives, as far as decisions read it."""
    k3s: dict[str, Any] = {
        "role": "",
        "installed_roles": [],
        "service": {"active": "inactive", "enabled": False},
        "config": {"server": "", "cluster_init": False},
        "datastore": "",
        "cluster": "",
        "node_password": False,
        "token_file": {"present": False, "cluster": ""},
        "token_matches": None,
        "token_changes": False,
        "restore": {},
        "api": {"ready": False, "nodes": []},
    }
    seen = record(host(name), node(name, "control-plane"))
    assert seen is not None
    return {**seen, "probe": {"host": seen["probe"]["host"], "k3s": k3s}}


def test_a_new_server_joins_those_that_only_the_api_has_shown() -> None:
    nodes = [node("pi1", "control-plane", "etcd"), node("pi2", "control-plane", "etcd")]
    records = [each for each in (record(host(name), *nodes) for name in SERVERS) if each] + [blank("pi3")]
    assert filters.k3s_problems(records, SERVERS) == []
    plan = filters.k3s_plan(records, "pi3", SERVERS)
    assert plan["config"]["server"] == "https://10.0.0.1:6443"
    assert (plan["token_from"], plan["problems"]) == ("pi1", [])
    assert plan["waits_for_etcd"]
    assert not plan["replaces_node"]


def test_a_node_of_the_same_name_is_seen_as_left_behind() -> None:
    nodes = [node("pi1", "control-plane", "etcd"), node("pi3", "control-plane", "etcd")]
    known = record(host("pi1"), *nodes)
    assert known
    assert filters.k3s_plan([known, blank("pi3")], "pi3", SERVERS)["replaces_node"]


def test_what_one_machine_must_not_share_with_another_is_found() -> None:
    known = record(host("pi1"), node("pi1", "control-plane"))
    other = blank("pi2")
    other["probe"]["host"]["boot_id"] = "boot-1"
    assert "one and the same machine" in filters.k3s_problems([known, other], SERVERS)[0]


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (host("pi1"), True),
        (host("pi1", ansible_host="pi1.home"), True),
        (host("pi9", ansible_host="10.0.0.1"), True),
        (host("pi1", k3s_node_name="Other", ansible_host="10.0.0.9"), False),
        (host("pi2"), False),
        (host("pi4"), False),
    ],
)
def test_a_server_is_known_by_its_name_or_its_address(one: dict[str, str], found: bool) -> None:
    nodes = [node("pi1", "control-plane"), node("pi4")]
    assert (record(one, *nodes) is not None) is found


def test_the_cluster_is_named_as_tokens_name_it() -> None:
    assert cluster_of(AUTHORITY) == hashlib.sha256(AUTHORITY.encode()).hexdigest()
    assert cluster_of(AUTHORITY * 2) == "", "the token of a chain carries the root's digest"


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "https://10.0.0.1:6443"),
        ({"k3s_address": "fd00::1"}, "https://[fd00::1]:6443"),
        ({"k3s_server_config": {"https-listen-port": 7443}}, "https://10.0.0.1:7443"),
    ],
)
def test_the_address_of_the_api_follows_from_the_inventory(variables: dict[str, Any], url: str) -> None:
    assert host("pi1", **variables)["url"] == url
