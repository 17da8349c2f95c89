# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.query import Query
from ansible_collections.hearth.cluster.plugins.module_utils._kube.selector import parse_selector
from ansible_collections.hearth.cluster.plugins.module_utils._kube.targets import Target, check_pattern, near_misses


def a(kind: str, name: str, api_version: str = "apps/v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": {"replicas": 2}}


OBJECTS = [
    a("Deployment", "grafana", namespace="monitoring", labels={"app": "grafana", "tier": "web"}),
    a("Deployment", "prometheus-operator", namespace="monitoring", annotations={"x/y": "z"}),
    a("Service", "grafana", "v1", namespace="monitoring"),
    a("ClusterRole", "grafana", "rbac.authorization.k8s.io/v1"),
]


def met(target: Target) -> list[int]:
    return [number for number, document in enumerate(OBJECTS) if target.fits(document)]


@pytest.mark.parametrize(
    ("target", "numbers"),
    [
        (Target(), [0, 1, 2, 3]),
        (Target({"kind": "Deployment"}), [0, 1]),
        (Target({"kind": "Deploy"}), []),
        (Target({"kind": "Deployment|Service", "name": "graf.*"}), [0, 2]),
        (Target({"group": ""}), [2]),
        (Target({"group": "apps", "version": "v1"}), [0, 1]),
        (Target({"namespace": ""}), [3]),
        (Target(labels=parse_selector("app in (grafana),tier!=db")), [0]),
        (Target({"kind": "Deployment"}, labels=parse_selector("!app")), [1]),
        (Target(annotations=parse_selector("x/y")), [1]),
        (Target(where=Query("kind=='Service' && spec.replicas > `1`", "where")), [2]),
        (Target({"name": "grafana"}, where=Query("metadata.namespace", "where")), [0, 2]),
    ],
)
def test_what_is_met(target: Target, numbers: list[int]) -> None:
    assert met(target) == numbers


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target({"kind": "Deployment", "name": "grafna"}), "did you mean grafana?"),
        (
            Target({"kind": "Deployment", "namespace": "monitor"}),
            "without namespace it would meet Deployment monitoring/grafana, Deployment monitoring/prometheus-operator",
        ),
        (
            Target({"kind": "deployment", "name": "grafana"}),
            "without kind it would meet Deployment monitoring/grafana, Service monitoring/grafana, ClusterRole grafana",
        ),
        (Target({"kind": "Service", "version": "v2"}), "without version it would meet Service monitoring/grafana"),
        (
            Target({"kind": "Service"}, labels=parse_selector("a=b")),
            "without labels it would meet Service monitoring/grafana",
        ),
        (
            Target({"name": "grafana"}, where=Query("spec.paused", "where")),
            "without where it would meet "
            "Deployment monitoring/grafana, Service monitoring/grafana, ClusterRole grafana",
        ),
        (Target({"kind": "Deploymint"}), "kinds in this package: did you mean Deployment?"),
        (
            Target({"kind": "Gateway", "name": "x"}),
            "kinds in this package: there is ClusterRole, Deployment, Service",
        ),
    ],
)
def test_near_misses_name_the_condition_that_is_wrong(target: Target, words: str) -> None:
    assert met(target) == []
    assert near_misses(target, OBJECTS) == words


def test_a_target_is_written_as_it_was_given() -> None:
    target = Target({"kind": "A|B", "name": "x"}, labels=parse_selector("a=b"), where=Query("spec", "where"))
    assert str(target) == "kind=A|B, name=x, labels=a=b, where=spec"
    assert str(Target()) == ""


def test_a_wrong_expression_is_refused() -> None:
    assert check_pattern("web-.*") == "web-.*"
    with pytest.raises(InputError, match=r"'web\(' is no regular expression"):
        check_pattern("web(")
