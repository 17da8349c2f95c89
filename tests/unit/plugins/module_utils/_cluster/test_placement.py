# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.placement import why_not

from tests.support.nodes import node, pod

TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


def required(*expressions: dict[str, Any], fields: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": wanted}}


def says(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def apart(app: str, **more: Any) -> dict[str, Any]:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}, **more}
    return {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


@pytest.mark.parametrize(
    ("spec", "there", "reason"),
    [
        ({}, node("pi1"), ""),
        ({}, node("pi1", ready=False), "is not Ready"),
        ({}, node("pi1", unschedulable=True), "is cordoned"),
        ({"tolerations": [{"operator": "Exists"}]}, node("pi1", unschedulable=True), ""),
        ({}, node("pi1", taints=[TAINT]), "has the taint dedicated=db:NoSchedule"),
        ({}, node("pi1", taints=[{**TAINT, "effect": "PreferNoSchedule"}]), ""),
        ({"tolerations": [{"key": "dedicated", "value": "db"}]}, node("pi1", taints=[TAINT]), ""),
        ({"tolerations": [{"key": "dedicated", "operator": "Exists"}]}, node("pi1", taints=[TAINT]), ""),
        ({"tolerations": [{"key": "dedicated", "value": "web"}]}, node("pi1", taints=[TAINT]), "has the taint"),
        (
            {"tolerations": [{"key": "dedicated", "value": "db", "effect": "NoExecute"}]},
            node("pi1", taints=[TAINT]),
            "has the taint",
        ),
        ({"nodeSelector": {"disk": "ssd"}}, node("pi1"), "has not the label disk=ssd"),
        ({"nodeSelector": {"disk": "ssd"}}, node("pi1", labels={"disk": "ssd"}), ""),
        (required(says("disk", "In", "ssd")), node("pi1", labels={"disk": "ssd"}), ""),
        (required(says("disk", "In", "ssd")), node("pi1"), "does not fit its node affinity"),
        (required(says("disk", "NotIn", "ssd")), node("pi1"), ""),
        (required(says("disk", "Exists")), node("pi1"), "does not fit"),
        (required(says("disk", "DoesNotExist")), node("pi1"), ""),
        (required(says("ram", "Gt", "4")), node("pi1", labels={"ram": "8"}), ""),
        (required(says("ram", "Lt", "4")), node("pi1", labels={"ram": "8"}), "does not fit"),
        (required(says("ram", "Gt", "4")), node("pi1", labels={"ram": "much"}), "does not fit"),
        (required(says("ram", "Strange", "4")), node("pi1", labels={"ram": "4"}), "does not fit"),
        (required(), node("pi1"), "does not fit"),
        (required(fields=(says("metadata.name", "In", "pi1"),)), node("pi1"), ""),
        (required(fields=(says("metadata.name", "In", "pi9"),)), node("pi1"), "does not fit"),
    ],
)
def test_why_a_node_cannot_take_a_pod(spec: dict[str, Any], there: dict[str, Any], reason: str) -> None:
    found = why_not(pod("web-1", **spec), there, [], [])
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("spec", "other", "is_apart"),
    [
        (apart("web"), pod("web-2", "pi1", labels={"app": "web"}), True),
        (apart("web"), pod("db-0", "pi1", labels={"app": "db"}), False),
        (apart("web"), pod("web-2", "pi3", labels={"app": "web"}), False),
        (apart("web"), pod("web-2", "pi1", labels={"app": "web"}, going=True), False),
        (apart("web", namespaces=["elsewhere"]), pod("web-2", "pi1", labels={"app": "web"}), False),
        (apart("web", topologyKey="zone"), pod("web-2", "pi1", labels={"app": "web"}), False),
    ],
)
def test_pods_that_must_not_share_a_host(spec: dict[str, Any], other: dict[str, Any], is_apart: bool) -> None:
    found = why_not(pod("web-1", **spec), node("pi1"), [], [other])
    assert found == ("runs pod default/web-2, beside which it must not run" if is_apart else "")


def listens(port: int, **more: str) -> dict[str, Any]:
    return {"containers": [{"name": "it", "ports": [{"containerPort": 80, "hostPort": port, **more}]}]}


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        (pod("dns-1", "pi1", **listens(53)), True),
        (pod("dns-1", "pi1", **listens(53, hostIP="10.0.0.1")), True),
        (pod("dns-1", "pi1", **listens(53, protocol="UDP")), False),
        (pod("dns-1", "pi1", **listens(54)), False),
        (pod("dns-1", "pi3", **listens(53)), False),
        (pod("dns-1", "pi1", going=True, **listens(53)), False),
    ],
)
def test_two_pods_cannot_have_the_same_port_of_the_host(other: dict[str, Any], is_taken: bool) -> None:
    found = why_not(pod("web-1", **listens(53)), node("pi1"), [], [other])
    assert found == ("runs pod default/dns-1, which has port 53/TCP of the host" if is_taken else "")


def test_a_pod_is_not_in_its_own_way() -> None:
    own = pod("web-1", "pi1", labels={"app": "web"}, **listens(53), **apart("web"))
    assert why_not(own, node("pi1"), [], [own]) == ""
