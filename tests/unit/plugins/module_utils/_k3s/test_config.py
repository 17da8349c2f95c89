# SPDX-License-Identifier: GPL-3.0-or-later
"""What may stand in a configuration, what of it is secret, and reading one word of it."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.archives import archive_changes, archive_name
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.config import config_problems, scalar, split_secrets
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.spelling import misspelt


def test_ordinary_settings_are_fine() -> None:
    assert config_problems({"disable": ["traefik"], "node-label": ["a=b"]}, "k3s_config") == []


@pytest.mark.parametrize(
    ("key", "word"), [("token", "k3s_token"), ("server", "k3s_server_url"), ("cluster-reset", "every start")]
)
def test_what_the_role_decides_or_what_does_harm_is_refused(key: str, word: str) -> None:
    (problem,) = config_problems({key: "x"}, "k3s_server_config")
    assert all(part in problem for part in ("k3s_server_config", key, word))


def test_secrets_are_kept_apart() -> None:
    shown, secret = split_secrets({"disable": ["traefik"], "agent-token": "x", "etcd-s3-secret-key": "y"})
    assert shown == {"disable": ["traefik"]}
    assert secret == {"agent-token": "x", "etcd-s3-secret-key": "y"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("server: https://pi1:6443\n", "https://pi1:6443"),
        ("a: b\nserver: 'https://pi1:6443'  \n", "https://pi1:6443"),
        ("nested:\n  server: no\n", ""),
        ("# server: no\nserver-x: no\n", ""),
        ("", ""),
    ],
)
def test_one_word_is_read_without_a_library(text: str, value: str) -> None:
    assert scalar(text, "server") == value


def test_a_misspelt_name_is_told_with_the_one_that_was_meant() -> None:
    assert misspelt(["k3s_versoin", "k3s_role"], ["k3s_version", "k3s_role"]) == [
        "k3s_versoin is not a parameter; did you mean k3s_version?"
    ]


def test_an_archives_name_changes_with_its_content_and_keeps_its_suffix() -> None:
    one, other = archive_name("nginx.tar.zst", "a" * 64), archive_name("nginx.tar.zst", "b" * 64)
    assert one != other
    assert one == "hearth-nginx-aaaaaaaaaaaaaaaa.tar.zst"


def test_old_archives_of_ours_go_and_those_of_others_stay() -> None:
    archives = [{"name": "hearth-a-1.tar", "path": "/a"}, {"name": "hearth-b-1.tar", "path": "/b"}]
    changes = archive_changes(archives, ["hearth-a-1.tar", "hearth-a-0.tar", "theirs.tar"], "/images")
    assert changes["missing"] == [archives[1]]
    assert changes["old"] == [{"path": "/images/hearth-a-0.tar", "state": "absent"}]
