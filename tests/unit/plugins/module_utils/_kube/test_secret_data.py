# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.secret_data import as_stored


def secret(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **content}


def test_text_becomes_data_and_wins_over_it() -> None:
    written = secret(data={"a": "b2xk", "b": "a2VwdA=="}, stringData={"a": "new", "c": "ü"})
    assert as_stored(written) == secret(data={"a": "bmV3", "b": "a2VwdA==", "c": "w7w="})


@pytest.mark.parametrize(
    "content",
    [
        secret(data={"a": "b2xk"}),
        secret(stringData={"port": 5432}),
        secret(stringData=["a"]),
        {**secret(stringData={"a": "x"}), "kind": "SealedSecret", "apiVersion": "bitnami.com/v1alpha1"},
    ],
)
def test_all_else_stays_as_it_is(content: dict[str, Any]) -> None:
    assert as_stored(content) is content
