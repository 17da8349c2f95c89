# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to an earlier release on a real API server: by asking, and because a new one fails."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.history import History
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.keeper import RecordKeeper

from tests.lab.apiserver import ApiServer
from tests.support.contract import config_map, definition
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def data(operator: Operator, namespace: str, name: str) -> dict[str, str] | None:
    live = operator.get("v1", "ConfigMap", namespace, name)
    return live["data"] if live else None


def kept_sets(api_server: ApiServer, package: str) -> list[str]:
    selector = f"--selector=hearth.cluster/history={package}"
    names = api_server.kubectl("get", "secrets", "--namespace=kube-system", selector, "--output=name")
    return sorted(name.removeprefix("secret/") for name in names.split())


def test_a_large_release_is_kept_in_parts_and_comes_back_exactly(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    """More than fits into one Secret, although it is compressed: what is random does not shrink."""
    noise = random.Random(1)
    large = [config_map(namespace, f"m{number}", k=noise.randbytes(250_000).hex()) for number in range(5)]
    operator.apply("large", *large, config_map(namespace, "old", k="1"))
    assert kept_sets(api_server, "large") == ["hearth-large.v1.1", "hearth-large.v1.2"]
    operator.apply("large", config_map(namespace, "m0", k="2"), config_map(namespace, "new", k="2"))

    outcome = operator.run("large", state="previous")
    assert (outcome.release, outcome.plan.counts()["create"], outcome.plan.counts()["prune"]) == (1, 5, 1)
    for wanted in large:
        assert data(operator, namespace, wanted["metadata"]["name"]) == wanted["data"]
    assert (data(operator, namespace, "old"), data(operator, namespace, "new")) == ({"k": "1"}, None)

    record = RecordKeeper(operator.cluster, "large").read()
    assert [(each.number, each.objects, each.withdrawn) for each in record.history] == [(1, 6, False), (2, 2, True)]
    assert set(History(operator.cluster, "large").times()) == {1, 2}
    assert not operator.run("large", state="previous").plan.changed
    operator.remove("large")
    assert kept_sets(api_server, "large") == []


def test_a_run_that_changes_nothing_leaves_no_release_behind(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    for _time in range(2):
        operator.apply("still", config_map(namespace, "a", k="1"))
    api_server.kubectl("delete", "configmap", "a", f"--namespace={namespace}")
    operator.apply("still", config_map(namespace, "a", k="1"))
    assert kept_sets(api_server, "still") == ["hearth-still.v1.1"]
    operator.remove("still")


def deployment(namespace: str, **selector: str) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i:1"}]
    pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers, "nodeSelector": selector}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod},
    }


def test_a_release_that_does_not_become_healthy_is_taken_back(operator: Operator, namespace: str) -> None:
    good = [deployment(namespace), config_map(namespace, "a", k="1")]
    operator.apply("taken", *good, wait=True, wait_timeout=60)
    bad = [
        deployment(namespace, nobody="has-this"),
        config_map(namespace, "a", k="2"),
        config_map(namespace, "b", k="2"),
    ]
    with pytest.raises(NotReadyError, match="Rolled back: release 1 is in the cluster again") as error:
        operator.apply("taken", *bad, wait=True, wait_timeout=10, on_failure="rollback")
    assert error.value.details["rolled_back_to"] == 1
    assert data(operator, namespace, "a") == {"k": "1"}
    assert data(operator, namespace, "b") is None
    live = known(operator.get("apps/v1", "Deployment", namespace, "a"))
    assert "nodeSelector" not in live["spec"]["template"]["spec"]
    assert not operator.apply("taken", *good, wait=True).plan.changed
    operator.remove("taken")


def test_a_definition_stays_as_new_as_what_is_stored_by_it(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    group = f"{namespace}.example.org"
    older, newer = definition(group, "Thing"), definition(group, "Thing")
    (first,) = older["spec"]["versions"]
    newer["spec"]["versions"] = [{**first, "storage": False}, {**first, "name": "v2"}]
    metadata = {"name": "it", "namespace": namespace}
    operator.apply("defined", older, {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": metadata, "size": 1})
    operator.apply("defined", newer, {"apiVersion": f"{group}/v2", "kind": "Thing", "metadata": metadata, "size": 2})

    operator.run("defined", state="previous")
    name = f"things.{group}"
    live = json.loads(api_server.kubectl("get", "customresourcedefinition", name, "--output=json"))
    assert [each["name"] for each in live["spec"]["versions"]] == ["v1", "v2"]
    assert known(operator.get(f"{group}/v1", "Thing", namespace, "it"))["size"] == 1
    assert not operator.run("defined", state="previous").plan.changed
    operator.remove("defined")
