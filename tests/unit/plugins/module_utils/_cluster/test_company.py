# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that must run beside others, on a node that is drained: what is certain is foretold, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.drain import Fate, Policy, Sight, plan_drain
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spread import why_nowhere

from tests.support.nodes import claim, local_volume, node, pod, uses

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
NODES = (
    node("pi1", labels={ZONE: "attic"}, unschedulable=True),
    node("pi2", labels={ZONE: "cellar"}),
    node("pi3", labels={ZONE: "attic"}),
    node("pi4", ready=False),
)


def beside(*apps: str, over: str = HOST, **more: Any) -> dict[str, Any]:
    terms = [{"topologyKey": over, "labelSelector": {"matchLabels": {"app": app}}, **more} for app in apps]
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}


def web(*apps: str, **more: Any) -> dict[str, Any]:
    return pod("web-1", labels={"app": "web"}, **beside(*(apps or ("db",)), **more))


def db(on: str, **more: Any) -> dict[str, Any]:
    return pod("db-0", on, labels={"app": "db"}, **more)


def why(live: dict[str, Any], *others: dict[str, Any]) -> str:
    return why_nowhere(live, NODES, [], [live, *others])


def test_a_node_without_the_pods_beside_which_one_must_run_cannot_take_it() -> None:
    told = f"pi3 lacks the pods beside which it must run (podAffinity over {HOST})"
    assert why(web(), db("pi1")) == f"no other node can take it: pi1 is cordoned; {told}; pi4 is not Ready"
    assert told in why(web()), "there is none at all"
    assert told in why(web("db", "cache"), db("pi3")), "one pod has to fit all terms"


@pytest.mark.parametrize(
    ("live", "others"),
    [
        pytest.param(web(), [db("pi3")], id="it is there"),
        pytest.param(web(), [db("pi2")], id="it leaves the node, too"),
        pytest.param(web(), [db("", phase="Pending")], id="it waits for a node"),
        pytest.param(web(), [db("pi1", going=True)], id="it is ending, and may be made again"),
        pytest.param(web(), [db("pi4")], id="its node ails, which it may leave"),
        pytest.param(web("web"), [], id="it is the first of its kind"),
        pytest.param(web(over=ZONE), [db("pi1")], id="it is in the same zone"),
        pytest.param(web(namespaceSelector={}), [], id="it may be in any namespace"),
        pytest.param(web(labelSelector=None), [], id="nobody knows which are meant"),
    ],
)
def test_in_doubt_nothing_is_said(live: dict[str, Any], others: list[dict[str, Any]]) -> None:
    assert why(live, *others) == ""


@pytest.mark.parametrize(
    ("policy", "fates"),
    [
        pytest.param(Policy(immovable_pods="leave"), [Fate.LEAVE, Fate.LEAVE], id="its data keep it there"),
        pytest.param(Policy(moving_claims=["default/data"]), [Fate.EVICT, Fate.EVICT], id="its data move"),
    ],
)
def test_one_that_must_run_beside_a_pod_that_stays_cannot_go(policy: Policy, fates: list[Fate]) -> None:
    volume = local_volume("pvc-1", "pi2")
    pods = (db("pi2", volumes=uses("data")), web())
    plan = plan_drain("pi2", Sight(NODES, pods, claims=[claim("data", "pvc-1")], volumes=[volume]), policy)
    assert [verdict.fate for verdict in plan.verdicts] == fates
