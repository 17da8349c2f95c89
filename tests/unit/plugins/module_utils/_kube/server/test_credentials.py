# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.credentials import (
    Credentials,
    read_credentials,
)

CLUSTER = {"server": "https://192.0.2.1:6443/"}


def kubeconfig(user: dict[str, Any], cluster: dict[str, Any] | None = None, **more: Any) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "home",
        "contexts": [{"name": "home", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster or CLUSTER}],
        "users": [{"name": "u", "user": user}],
        **more,
    }
    return json.dumps(content)


def read(content: str, context: str | None = None, files: dict[str, str] | None = None) -> Credentials | None:
    return read_credentials(content, "config", context, lambda name: (files or {})[name])


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_certificates_stand_in_the_kubeconfig_or_in_files_beside_it() -> None:
    inside = read(
        kubeconfig(
            {"client-certificate-data": data("CERT"), "client-key-data": data("KEY")},
            {**CLUSTER, "certificate-authority-data": data("CA"), "certificate-authority": "passed-over"},
        )
    )
    beside = read(
        kubeconfig(
            {"client-certificate": "cert.pem", "client-key": "key.pem"}, {**CLUSTER, "certificate-authority": "ca.pem"}
        ),
        files={"ca.pem": "CA", "cert.pem": "CERT", "key.pem": "KEY"},
    )
    for found in map(known, (inside, beside)):
        assert (found.server, found.authority, found.certificate, found.key) == (
            "https://192.0.2.1:6443", "CA", "CERT", "KEY",
        )  # fmt: skip
        assert found.verify
        assert not found.headers()


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"tokenFile": "token"}, "Bearer from-file"),
        ({"token": "t", "tokenFile": "token", "username": "u"}, "Bearer t"),
        ({"username": "u", "password": "p"}, "Basic " + data("u:p")),
    ],
    ids=["token", "token-file", "token-first", "password"],
)
def test_a_token_or_a_password_is_sent_as_a_header(user: dict[str, Any], header: str) -> None:
    assert known(read(kubeconfig(user), files={"token": "from-file\n"})).headers() == {"Authorization": header}


def test_what_else_a_cluster_can_say() -> None:
    cluster = {**CLUSTER, "insecure-skip-tls-verify": True, "tls-server-name": "n", "proxy-url": "http://p:1"}
    found = known(read(kubeconfig({}, cluster)))
    assert (found.verify, found.server_name, found.proxy) == (False, "n", "http://p:1")


def test_another_context_can_be_chosen() -> None:
    contexts = [{"name": name, "context": {"cluster": name}} for name in ("home", "away")]
    clusters = [{"name": name, "cluster": {"server": f"https://{name}"}} for name in ("home", "away")]
    content = kubeconfig({}, contexts=contexts, clusters=clusters)
    assert known(read(content)).server == "https://home"
    assert known(read(content, "away")).server == "https://away"
    with pytest.raises(InputError, match="no context 'work'; it has: away, home"):
        read(content, "work")


@pytest.mark.parametrize("way", ["exec", "auth-provider"])
def test_credentials_that_a_program_makes_are_left_to_the_library(way: str) -> None:
    assert read(kubeconfig({way: {"command": "x"}})) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (kubeconfig({"as": "somebody"}), "'as': acting as somebody else is not supported"),
        (kubeconfig({"exec": {"command": "x"}, "as-groups": ["g"]}), "'as-groups'"),
        (kubeconfig({"client-key-data": "?"}), "client-key-data that is no base64 text"),
        (kubeconfig({}, {"insecure-skip-tls-verify": True}), "no server in cluster 'c'"),
        (kubeconfig({}, **{"current-context": ""}), "no current-context"),
        (kubeconfig({}, users=[]), "no user 'u'; it has: none"),
        (kubeconfig({}, clusters=None), "no cluster 'c'; it has: none"),
        ("", "no current-context"),
        ("a: [", "config:2: this is not valid YAML"),
    ],
)
def test_a_kubeconfig_that_is_wrong_is_told_by_name(content: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        read(content)
    assert "config" in str(error.value)
