# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of a host tell of its cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.machines import kubeconfig_of


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, "~/.kube/home.yaml"),
        ({"k3s_cluster_name": "home.lan"}, "~/.kube/home.lan.yaml"),
        ({"k3s_kubeconfig": "/keys/home", "k3s_cluster_name": "home.lan"}, "/keys/home"),
    ],
)
def test_the_kubeconfig_lies_where_the_role_puts_it(variables: dict[str, Any], path: str) -> None:
    assert kubeconfig_of(variables) == path


@pytest.mark.parametrize("empty", ["", None])
def test_no_kubeconfig_is_not_that_of_another_cluster(empty: str | None) -> None:
    with pytest.raises(InputError, match=r"k3s_kubeconfig is empty.*: name a file.*or leave k3s_kubeconfig out"):
        kubeconfig_of({"k3s_kubeconfig": empty, "k3s_kubeconfig_merge": "~/.kube/config"})
