# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages on a real API server: changed by hand, adopted, mirrored, interrupted, run twice at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import Step, Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection
from ansible_collections.hearth.cluster.plugins.module_utils._package.install import Outcome

from tests.lab.apiserver import ApiServer
from tests.support.contract import config_map
from tests.support.operator import PACKAGES, Operator
from tests.unit.fixtures import FOLDER

pytestmark = [
    pytest.mark.apiserver,
    pytest.mark.skipif(not (FOLDER / "packages").is_dir(), reason="no packages in shared/fixtures beside the checkout"),
]


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def steps(outcome: Outcome, *verbs: Verb) -> list[Step]:
    return list(outcome.plan.of(*verbs))


def test_a_change_by_hand_is_one_write(operator: Operator, api_server: ApiServer) -> None:
    name, source = "kube-prometheus", PACKAGES["kube-prometheus"][1]
    operator.run(name, source)
    before = operator.versions(name)
    api_server.kubectl("-n", "monitoring", "scale", "deployment/grafana", "--replicas=0")
    api_server.kubectl("-n", "monitoring", "annotate", "deployment/grafana", "note=mine")
    outcome = operator.run(name, source)
    assert [(str(step.identity), step.fields) for step in steps(outcome, Verb.UPDATE)] == [
        ("Deployment monitoring/grafana", ("spec.replicas",))
    ]
    after = operator.versions(name)
    assert [key for key in after if after[key] != before[key]] == ["apps/Deployment/monitoring/grafana"]
    operator.remove(name)


def test_a_port_for_two_protocols_comes_and_goes(operator: Operator, namespace: str) -> None:
    def dns(*protocols: str) -> dict[str, Any]:
        ports = [{"name": each.lower(), "port": 53, "protocol": each} for each in protocols]
        metadata = {"name": "pihole", "namespace": namespace}
        return {"inline": [{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}]}

    def served() -> set[str]:
        services = operator.cluster.catalogue().find("v1", "Service")
        assert services is not None
        live = operator.cluster.get(services, namespace, "pihole")
        assert live is not None
        return {port["protocol"] for port in live["spec"]["ports"]}

    for protocols in (("UDP",), ("UDP", "TCP"), ("TCP",), ("UDP", "TCP"), ("UDP",)):
        operator.run("pihole", dns(*protocols))
        assert served() == set(protocols)
    operator.remove("pihole")


def test_an_object_that_kubectl_made_is_adopted_without_leftovers(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    def deployment(**container: Any) -> dict[str, Any]:
        pod = {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "i:1", **container}]},
        }
        spec = {"selector": {"matchLabels": {"app": "a"}}, "template": pod}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a", "namespace": namespace},
            "spec": spec,
        }

    old = deployment(env=[{"name": "OLD", "value": "1"}, {"name": "KEPT", "value": "1"}])
    api_server.kubectl("apply", "--filename=-", stdin=json.dumps(old))
    new = {"inline": [deployment(env=[{"name": "KEPT", "value": "2"}])]}
    (step,) = operator.run("adopted", new).plan.steps
    assert step.verb is Verb.ADOPT
    deployments = operator.cluster.catalogue().find("apps/v1", "Deployment")
    assert deployments is not None
    live = operator.cluster.get(deployments, namespace, "a")
    assert live is not None
    assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "KEPT", "value": "2"}]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in live["metadata"].get("annotations", {})
    assert not operator.run("adopted", new).plan.changed
    operator.remove("adopted")


def test_a_release_comes_from_a_mirror_and_is_pinned(kubeconfig: Path, tmp_path: Path) -> None:
    lock = tmp_path / "hearth.lock.yml"
    mirrors = {"https://raw.githubusercontent.com/metallb/metallb/": str(FOLDER / "packages" / "metallb")}
    operator = Operator(kubeconfig, lock_file=str(lock), mirrors=mirrors)
    files = ["config/manifests/metallb-native.yaml"]
    operator.run("metallb", {"github": "metallb/metallb", "version": "v0.16.1", "files": files})
    assert operator.versions("metallb")
    assert "https://raw.githubusercontent.com/metallb/metallb/v0.16.1/config/manifests" in lock.read_text()
    operator.remove("metallb")


def test_of_two_runs_at_once_one_stops_and_nothing_is_lost(kubeconfig: Path, namespace: str) -> None:
    def run(who: str) -> None:
        source = {"inline": [config_map(namespace, f"{who}{number}", k="1") for number in range(20)]}
        try:
            Operator(kubeconfig).run("raced", source)
            ended[who] = "done"
        except ClusterError as error:
            ended[who] = str(error)

    ended: dict[str, str] = {}
    threads = [threading.Thread(target=run, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(told == "done" or "another run is working on this package" in told for told in ended.values())
    operator = Operator(kubeconfig)
    operator.run("raced", {"inline": [config_map(namespace, "last", k="1")]})
    found = operator.cluster.list(
        Collection(known(operator.cluster.catalogue().find("v1", "ConfigMap")), namespace),
        selector="hearth.cluster/package=raced",
    )
    assert [live["metadata"]["name"] for live in found] == ["last"]
    operator.remove("raced")
