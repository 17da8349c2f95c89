# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.claims import EVERYTHING, Claim, judge
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.field_path import covers, without
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import FieldConflict

HPA = FieldConflict(".spec.replicas", "kube-controller-manager/scale")
OPERATOR = FieldConflict('.spec.template.spec.containers[name="app"].image', "some-operator")


@pytest.mark.parametrize(
    ("conflict", "claims", "fate"),
    [
        (OPERATOR, (), "open"),
        (OPERATOR, EVERYTHING, "taken"),
        (OPERATOR, (Claim("some-operator"),), "taken"),
        (OPERATOR, (Claim("some-*", (".spec.template",)),), "taken"),
        (OPERATOR, (Claim("other", (".spec.template",)),), "open"),
        (OPERATOR, (Claim("some-operator", (".spec.temp", ".spec.replicas")),), "open"),
        (OPERATOR, (Claim(fields=("spec.template.spec.containers",)),), "taken"),
        (FieldConflict(".spec.replicas", "kubectl/scale"), (), "taken"),
        (HPA, (), "left"),
        (HPA, (Claim("kube-controller-manager"),), "taken"),
        (FieldConflict(".spec.replicas", "some-operator"), (), "open"),
        (FieldConflict('.webhooks[name="x"].clientConfig.caBundle', "cainjector"), (), "left"),
    ],
)
def test_who_has_the_last_word(conflict: FieldConflict, claims: tuple[Claim, ...], fate: str) -> None:
    verdict = judge([conflict], claims)
    assert {name for name in ("taken", "left", "open") if getattr(verdict, name)} == {fate}


def test_a_path_covers_what_is_inside_of_it() -> None:
    assert covers(".spec", ".spec.replicas")
    assert covers(".spec.ports", ".spec.ports[port=53].name")
    assert not covers(".spec.rep", ".spec.replicas")


OBJECT: dict[str, Any] = {
    "metadata": {"annotations": {"a.b/c": "1", "a.b/c.d": "2"}, "finalizers": ["x", "y"]},
    "spec": {
        "replicas": 3,
        "ports": [{"port": 53, "protocol": "UDP", "name": "u"}, {"port": 53, "protocol": "TCP", "name": "t"}],
    },
    "webhooks": [{"name": 'odd]"name', "clientConfig": {"caBundle": "x", "url": "y"}}],
}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (".spec.replicas", {"spec": {"ports": OBJECT["spec"]["ports"]}}),
        (".metadata.annotations.a.b/c", {"metadata": {"annotations": {"a.b/c.d": "2"}, "finalizers": ["x", "y"]}}),
        ('.metadata.finalizers[="x"]', {"metadata": {**OBJECT["metadata"], "finalizers": ["y"]}}),
        (
            '.spec.ports[port=53,protocol="UDP"]',
            {"spec": {"replicas": 3, "ports": [{"port": 53, "protocol": "TCP", "name": "t"}]}},
        ),
        (
            '.spec.ports[port=53,protocol="TCP"].name',
            {"spec": {"replicas": 3, "ports": [OBJECT["spec"]["ports"][0], {"port": 53, "protocol": "TCP"}]}},
        ),
        (
            '.webhooks[name="odd]\\"name"].clientConfig.caBundle',
            {"webhooks": [{"name": 'odd]"name', "clientConfig": {"url": "y"}}]},
        ),
        (".spec.not.there", {}),
    ],
)
def test_a_field_is_left_out_by_the_path_that_the_server_gives(path: str, left: dict[str, Any]) -> None:
    assert without(OBJECT, [path]) == {**OBJECT, **left}
