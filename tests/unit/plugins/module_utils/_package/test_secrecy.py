# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the options' values are secret."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._package.secrecy import secret_values, secrets_of_patch

SECRET = "correct-horse"
ENCODED = b64encode(SECRET.encode()).decode()
IN_PLACE = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "name-of-it"}, "type": "type-of-it"}


@pytest.mark.parametrize(
    "entry",
    [
        {"secrets": [{"name": "s", "values": {"password": SECRET}}]},
        {"source": {"inline": [{**IN_PLACE, "stringData": {"a": SECRET}}]}},
        {"source": {"inline": [{**IN_PLACE, "data": {"a": ENCODED}}]}},
        {"source": {"inline": {**IN_PLACE, "stringdata": SECRET}}},
        {"source": {"inline": [{**IN_PLACE, "stringData": [SECRET]}]}},
        {"source": {"inline": [{"kind": "List", "items": [{**IN_PLACE, "data": {"a": ENCODED}}]}]}},
        {"patches": [{"target": {"kind": "Secret"}, "merge": {"stringData": {"a": SECRET}}}]},
        {"patches": [{"target": {"kind": "Conf.*|Secret"}, "set": {"data.a": SECRET}}]},
        {"patches": [{"where": "kind=='Secret'", "json": [{"op": "add", "path": "/data/a", "value": ENCODED}]}]},
        {"values": {"grafana": {"adminPassword": SECRET}}},
    ],
)
def test_a_secret_is_known_in_clear(entry: dict[str, Any]) -> None:
    assert SECRET in secret_values([{"name": "p", **entry}])


def test_what_is_given_in_clear_is_known_in_base64() -> None:
    assert ENCODED in secret_values([{"secrets": [{"values": {"password": SECRET}}]}])


@pytest.mark.parametrize(
    "entry",
    [
        {"source": {"inline": [{**IN_PLACE, "kind": "ConfigMap", "data": {"a": SECRET}}]}},
        {"patches": [{"target": {"kind": "ConfigMap"}, "set": {"data.a": SECRET}}]},
        {"patches": [{"target": {"kind": "["}, "set": {"data.a": SECRET}}]},
        {"values": {"existingSecret": SECRET, "secretName": SECRET}},
        {"secrets": "not even a list", "patches": None},
        SECRET,
    ],
)
def test_ordinary_words_are_not_blotted_out(entry: Any) -> None:
    assert SECRET not in secret_values([entry])


def test_names_of_secrets_stay_readable() -> None:
    assert not secret_values([{"source": {"inline": [{**IN_PLACE, "data": {"a": "YQ=="}}]}}]) & {
        "name-of-it",
        "type-of-it",
    }


def test_short_values_stay() -> None:
    assert secret_values([{"secrets": [{"values": {"a": "1", "b": True}}]}]) == set()


@pytest.mark.parametrize(("kind", "known"), [("Secret", True), ("Secret.v1", True), ("SealedSecret", False)])
def test_a_patch_of_one_object_is_secret_by_its_kind(kind: str, known: bool) -> None:
    patch = {"merge": None, "set": {"data.a": SECRET}, "json": None}
    assert (SECRET in secrets_of_patch(kind, patch)) is known
