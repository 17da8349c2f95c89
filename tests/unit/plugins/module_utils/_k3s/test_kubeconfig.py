# SPDX-License-Identifier: GPL-3.0-or-later
"""Naming a cluster's entries, and putting them beside others."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.kubeconfig import (
    credentials_digest,
    is_current,
    merged,
    named,
    replaced,
    without_secrets,
)

OF_K3S: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "default", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "Q0E="}}
    ],
    "users": [{"name": "default", "user": {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}}],
    "contexts": [{"name": "default", "context": {"cluster": "default", "user": "default"}}],
    "current-context": "default",
}
OTHER: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "work", "cluster": {"server": "https://work"}}],
    "users": [{"name": "work", "user": {"token": "x"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "work", "namespace": "mine"}}],
    "current-context": "work",
    "extensions": [{"name": "kept"}],
}
HOME = named(OF_K3S, "home", "https://pi1:6443")


def test_all_entries_carry_the_name_and_the_address() -> None:
    assert [HOME[section][0]["name"] for section in ("clusters", "users", "contexts")] == ["home"] * 3
    assert HOME["clusters"][0]["cluster"]["server"] == "https://pi1:6443"
    assert HOME["contexts"][0]["context"] == {"cluster": "home", "user": "home"}
    assert HOME["current-context"] == "home"


def test_a_merge_keeps_everything_else() -> None:
    result = merged(OTHER, HOME, use_context=False)
    for section in ("clusters", "users", "contexts"):
        assert result[section][0] == OTHER[section][0]
        assert result[section][1] == HOME[section][0]
    assert result["current-context"] == "work"
    assert result["extensions"] == OTHER["extensions"]


def test_a_merge_changes_neither_of_its_inputs() -> None:
    before = copy.deepcopy((OTHER, HOME))
    merged(OTHER, HOME, use_context=True)
    assert before == (OTHER, HOME)


def test_a_second_merge_changes_nothing() -> None:
    once = merged(OTHER, HOME, use_context=False)
    assert merged(once, HOME, use_context=False) == once


def test_an_entry_of_the_name_is_replaced_where_it_stands() -> None:
    first = merged(merged({}, HOME, use_context=False), named(OTHER, "work", "https://work"), use_context=False)
    again = merged(first, named(OF_K3S, "home", "https://pi2:6443"), use_context=False)
    assert [entry["name"] for entry in again["clusters"]] == ["home", "work"]
    assert again["clusters"][0]["cluster"]["server"] == "https://pi2:6443"


def test_what_has_the_name_alone_is_replaced() -> None:
    elsewhere = named(OF_K3S, "home", "https://pi2:6443")
    assert replaced(HOME, elsewhere, "home.yaml") == elsewhere
    assert replaced({}, elsewhere, "home.yaml") == elsewhere


@pytest.mark.parametrize("section", ["clusters", "users", "contexts"])
def test_no_entry_of_another_name_is_lost(section: str) -> None:
    shared = {**HOME, section: [*HOME[section], *OTHER[section]]}
    with pytest.raises(InputError, match="config also has entries called work, which would be lost"):
        replaced(shared, HOME, "config")


def test_the_context_becomes_current_if_asked_for_or_if_there_is_none() -> None:
    assert merged(OTHER, HOME, use_context=True)["current-context"] == "home"
    assert merged({}, HOME, use_context=False)["current-context"] == "home"


def test_no_credential_is_shown() -> None:
    shown = str(without_secrets(merged(OTHER, HOME, use_context=False)))
    assert "S0VZ" not in shown
    assert "'x'" not in shown


@pytest.mark.parametrize("document", [[], {"clusters": {}, "users": []}, {"clusters": [{}, {}]}])
def test_what_is_no_kubeconfig_is_refused(document: Any) -> None:
    with pytest.raises(InputError, match="kubeconfig of k3s"):
        named(document, "home", "https://pi1")


DIGEST = credentials_digest(OF_K3S)


def test_a_kubeconfig_serves_while_credentials_and_address_hold() -> None:
    assert is_current(
        merged(OTHER, HOME, use_context=False), "home", ["other", DIGEST], ["https://pi1:6443", "https://pi2:6443"]
    )


@pytest.mark.parametrize(
    ("document", "digest", "servers"),
    [
        (None, DIGEST, ["https://pi1:6443"]),
        ({}, DIGEST, ["https://pi1:6443"]),
        (HOME, "other", ["https://pi1:6443"]),
        (HOME, "", ["https://pi1:6443"]),
        (HOME, DIGEST, ["https://pi2:6443"]),
        ({**HOME, "contexts": []}, DIGEST, ["https://pi1:6443"]),
        (OTHER, DIGEST, ["https://pi1:6443"]),
    ],
)
def test_anything_else_must_be_written_anew(document: Any, digest: str, servers: list[str]) -> None:
    assert not is_current(document, "home", [digest], servers)
