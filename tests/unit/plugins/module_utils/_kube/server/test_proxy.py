# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.proxy import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("server", "exceptions", "proxy"),
    [
        ("https://pi1:6443", "", PROXY),
        ("https://pi1:6443", "pi2,home.arpa", PROXY),
        ("https://pi1:6443", "pi2, pi1", ""),
        ("https://pi1.home.arpa:6443", ".home.arpa", ""),
        ("https://pi1.home.arpa:6443", "home.arpa", ""),
        ("https://pi1.home.arpa:6443", "*.home.arpa", ""),
        ("https://not-home.arpa:6443", "home.arpa", PROXY),
        ("https://10.77.0.11:6443", "10.0.0.0/8", ""),
        ("https://[fd00::1]:6443", "fd00::/8", ""),
        ("https://192.0.2.1:6443", "10.0.0.0/8,192.0.2.2", PROXY),
        ("https://pi1:6443", "*", ""),
        ("https://127.0.0.1:6443", "", ""),
        ("https://[::1]:6443", "", ""),
        ("https://localhost:6443", "", ""),
        ("http://pi1:8001", "", ""),
    ],
)
def test_the_environment_names_a_proxy_and_its_exceptions(server: str, exceptions: str, proxy: str) -> None:
    assert proxy_for(server, "", {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}) == proxy
    assert proxy_for(server, "", {"https_proxy": "proxy:3128", "no_proxy": exceptions}) == proxy


def test_the_kubeconfig_s_own_proxy_goes_before_the_environment() -> None:
    assert proxy_for("https://127.0.0.1", "http://own", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}) == "http://own"


def test_a_proxy_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="socks5://p; only http:// proxies"):
        proxy_for("https://pi1", "socks5://p", {})
