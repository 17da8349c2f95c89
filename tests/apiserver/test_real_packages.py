# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that people run at home, as their projects publish them, each from its first install to its removal.

The simulated nodes have no images, so nothing is waited for; what the server has of every object is real.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import identity_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.steps import PROTECTED_KINDS, Plan, Verb
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Identity, Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.parallel import in_parallel
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import ApiServer as Cluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.api_server import open_cluster
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.client import Access
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import RefusedError
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package

from tests.lab.apiserver import ApiServer
from tests.support.contract import config_map
from tests.support.operator import NAMESPACES, PACKAGES, Operator
from tests.unit.fixtures import FOLDER

pytestmark = [
    pytest.mark.apiserver,
    pytest.mark.skipif(not (FOLDER / "packages").is_dir(), reason="no packages in shared/fixtures beside the checkout"),
]

# Published in one version only: its life has no update.
CERT_MANAGER = {"directory": "cert-manager/v1.21.1"}
LIVES = {**PACKAGES, "cert-manager": (CERT_MANAGER, CERT_MANAGER)}

# Its chart was rendered for this namespace and does not bring it.
TAKEN_FOR_GRANTED = {"cert-manager": ("ns",)}


# The server needs minutes to digest the newer definitions of argo-workflows, four of 1.2 MB each. The others are large,
# and show nothing that kube-prometheus does not.
SLOW = {"argo-workflows", "longhorn", "tekton-pipeline"}


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


@pytest.fixture
def cluster(kubeconfig: Path) -> Cluster:
    """To look with: it does not try again what the server refuses."""
    return open_cluster(Access(kubeconfig=str(kubeconfig)))


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.soak] * (name in SLOW)) for name in LIVES])
def name(request: pytest.FixtureRequest, api_server: ApiServer) -> Iterator[str]:
    """A package to look at, on a server that has the namespace that it takes for granted."""
    package = str(request.param)
    for namespace in TAKEN_FOR_GRANTED.get(package, ()):
        api_server.kubectl("create", "namespace", namespace)
    yield package
    api_server.kubectl("delete", "crd", f"--selector=hearth.cluster/package={package}")
    for namespace in TAKEN_FOR_GRANTED.get(package, ()):
        api_server.kubectl("delete", "namespace", namespace, "--wait=false")


def test_a_package_lives_from_its_first_install_to_its_removal(operator: Operator, cluster: Cluster, name: str) -> None:
    older, newer = (manifests(operator, name, source) for source in LIVES[name])
    older_source, newer_source = LIVES[name]

    foreseen = checked(operator, name, older_source)
    installed = operator.run(name, older_source).plan
    assert digest(installed) == digest(foreseen) == {(Verb.CREATE, identity) for identity in older}
    assert writes_of(operator, cluster, name, older_source) == []

    foreseen = checked(operator, name, newer_source)
    updated = operator.run(name, newer_source).plan
    assert digest(updated) == digest(foreseen)
    assert of(updated, Verb.CREATE) == set(newer) - set(older)
    assert of(updated, Verb.UPDATE) <= {each for each in newer if each in older and newer[each] != older[each]}
    assert of(updated, Verb.PRUNE) == {each for each in set(older) - set(newer) if each.kind not in PROTECTED_KINDS}
    assert writes_of(operator, cluster, name, newer_source) == []

    back = operator.run(name, older_source).plan
    assert of(back, Verb.PRUNE) == {each for each in set(newer) - set(older) if each.kind not in PROTECTED_KINDS}

    operator.remove(name)
    assert set(everything(cluster, name)) == {
        place(each.identity) for each in older.values() if asks_to_be_kept(each.content)
    }
    assert not operator.run(name, state="absent").plan.changed


def asks_to_be_kept(content: Mapping[str, Any]) -> bool:
    """Charts say so of definitions, with which all of their objects would go."""
    return content["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"


def manifests(operator: Operator, name: str, source: dict[str, Any]) -> dict[Identity, Manifest]:
    """The objects of a source as they shall be in the cluster, without looking at what is there."""
    options = {"namespace": NAMESPACES[name]} if name in NAMESPACES else {}
    package = read_package({"name": name, "source": source, **options}, "package")
    rendered = operator.installer.render(package, operator.cluster.catalogue())
    return {each.identity: each for each in rendered.manifests}


def checked(operator: Operator, name: str, source: dict[str, Any]) -> Plan:
    """What check mode says."""
    installer = operator.installer
    operator.installer = replace(installer, check=True)
    try:
        return operator.run(name, source).plan
    finally:
        operator.installer = installer


def of(plan: Plan, verb: Verb) -> set[Identity]:
    return {step.identity for step in plan.of(verb)}


def digest(plan: Plan) -> set[tuple[Verb, Identity]]:
    return {(step.verb, step.identity) for step in plan.steps}


def writes_of(operator: Operator, cluster: Cluster, name: str, source: dict[str, Any]) -> list[str]:
    """What a run writes that has nothing to do, by the resourceVersions of everything that it could write."""
    before = settled(lambda: everything(cluster, name))
    assert not operator.run(name, source).plan.changed
    after = everything(cluster, name)
    return sorted(place for place in before | after if before.get(place) != after.get(place))


def settled(look: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What is seen once the controllers have ended writing what they write into a status."""
    deadline = time.monotonic() + 60
    seen = look()
    while True:
        time.sleep(0.5)
        before, seen = seen, look()
        if seen == before:
            return seen
        assert time.monotonic() < deadline, "the objects change all the time"


def everything(cluster: Cluster, name: str) -> dict[str, str]:
    """The resourceVersion of all that carries the package's label, of any kind, and of its record."""
    selector = f"hearth.cluster/package={name}"

    def versions(kind: tuple[str, str]) -> dict[str, str]:
        resource = known(cluster.catalogue().preferred(*kind))
        try:
            listed = cluster.list(Collection(resource, ""), selector=selector, metadata_only=True)
        except RefusedError:  # a kind of which nothing is kept, such as a review, or one whose definition just went
            return {}
        return {place(identity_of(live)): live["metadata"]["resourceVersion"] for live in listed}

    found = in_parallel(versions, sorted(cluster.catalogue(fresh=True).kinds()))
    return {key: version for each in found for key, version in each.items()}


def place(identity: Identity) -> str:
    return f"{identity.kind}.{identity.group} {identity.namespace}/{identity.name}"


def test_an_api_service_whose_server_is_down_stops_nothing(
    operator: Operator, api_server: ApiServer, namespace: str
) -> None:
    metadata = {"name": "v1.dead.example.org"}
    spec = {
        "group": "dead.example.org",
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"name": "nobody", "namespace": namespace},
    }
    dead = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": metadata, "spec": spec}
    api_server.kubectl("create", "--filename=-", stdin=json.dumps(dead))
    try:
        assert operator.cluster.catalogue(fresh=True).find("apps/v1", "Deployment")
        assert operator.apply("beside", config_map(namespace, "a", k="1")).plan.counts()["create"] == 1
        assert not operator.apply("beside", config_map(namespace, "a", k="1")).plan.changed
        operator.remove("beside")
    finally:
        # A namespace cannot end as long as a group does not answer.
        api_server.kubectl("delete", "apiservice", "v1.dead.example.org")
