# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be done is told before anything is done, on a real API server: rights, quotas, packages that overlap."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_packages
from ansible_collections.hearth.cluster.plugins.module_utils._package.together import run_together

from tests.lab.apiserver import ApiServer
from tests.lab.errors import LabError
from tests.support.contract import config_map
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver

RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


def rule(group: str, kinds: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [kinds], "verbs": list(verbs)}


class Somebody:
    """A user who has the rights that a test gives, and no other."""

    def __init__(self, api_server: ApiServer, namespace: str, folder: Path) -> None:
        self._api_server = api_server
        self._name = f"user-{namespace}"
        api_server._authority.issue_client(self._name, self._name)
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(api_server._authority.kubeconfig(self._name, api_server.url))

    def may(self, namespace: str, *rules: dict[str, Any]) -> None:
        metadata = {"name": self._name, "namespace": namespace}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self._name}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self._name}
        role = {"apiVersion": RBAC, "kind": "Role", "metadata": metadata, "rules": list(rules)}
        binding = {
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata, "roleRef": reference, "subjects": [subject]
        }  # fmt: skip
        for each in (role, binding):
            self._api_server.kubectl("apply", "--filename=-", stdin=json.dumps(each))
        self._wait_for(namespace, rules[-1])

    def _wait_for(self, namespace: str, new: dict[str, Any]) -> None:
        """The server learns of new rights a moment after they were written."""
        asked = f"{new['resources'][0]}.{new['apiGroups'][0]}".rstrip(".")
        arguments = ("auth", "can-i", new["verbs"][0], asked, f"--as={self._name}", f"--namespace={namespace}")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(LabError):  # kubectl fails where the answer is no
                self._api_server.kubectl(*arguments)
                return
            time.sleep(0.1)


@pytest.fixture
def somebody(api_server: ApiServer, namespace: str, tmp_path: Path) -> Somebody:
    return Somebody(api_server, namespace, tmp_path)


def service(namespace: str) -> dict[str, Any]:
    metadata = {"name": "s", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


def test_missing_rights_are_told_with_verb_and_kind(operator: Operator, somebody: Somebody, namespace: str) -> None:
    limited = Operator(somebody.kubeconfig)
    wanted = (config_map(namespace, "a", k="1"), service(namespace))
    with pytest.raises(ClusterError, match=r'cannot get resource "secrets".* in the namespace "kube-system"'):
        limited.apply("limited", *wanted)

    somebody.may("kube-system", rule("", "secrets", "get", "list", "create", "patch", "delete"))
    somebody.may(namespace, rule("", "configmaps", "get", "list", "watch", "create", "patch"))
    with pytest.raises(ClusterError, match="nothing was changed, because the user of the kubeconfig lacks") as error:
        limited.apply("limited", *wanted)
    assert error.value.details["missing"] == [
        "create, delete, get, patch leases.coordination.k8s.io in namespace kube-system",
        f"create, get, list, patch, watch services in namespace {namespace}",
    ]
    assert operator.get("v1", "ConfigMap", namespace, "a") is None
    assert operator.get("v1", "Secret", "kube-system", "hearth-limited") is None

    verbs = ("get", "list", "watch", "create", "patch")
    somebody.may(
        "kube-system",
        rule("", "secrets", "get", "list", "create", "patch", "delete"),
        rule("coordination.k8s.io", "leases", "get", "create", "patch", "delete"),
    )
    somebody.may(namespace, rule("", "configmaps", *verbs), rule("", "services", *verbs))
    assert limited.apply("limited", *wanted).plan.changed
    assert not limited.apply("limited", *wanted).plan.changed
    with pytest.raises(ClusterError) as error:
        limited.apply("limited", config_map(namespace, "a", k="1"))
    assert error.value.details["missing"] == [f"delete services in namespace {namespace}"]
    assert operator.get("v1", "Service", namespace, "s") is not None
    operator.remove("limited")


def test_a_quota_is_told_as_what_it_is(operator: Operator, api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl("create", "quota", "few", f"--namespace={namespace}", "--hard=count/services=0")
    api_server.kubectl(
        "wait", "quota/few", f"--namespace={namespace}", "--for=jsonpath={.status.hard}", "--timeout=30s"
    )
    with pytest.raises(ClusterError, match="exceeded quota: few") as error:
        operator.apply("many", config_map(namespace, "a", k="1"), service(namespace))
    assert "this right" not in str(error.value)
    assert operator.get("v1", "ConfigMap", namespace, "a") is None


def test_packages_with_an_object_in_common_are_not_begun(operator: Operator, namespace: str) -> None:
    def entry(name: str, *names: str) -> dict[str, Any]:
        return {"name": name, "source": {"inline": [config_map(namespace, each, k="1") for each in names]}}

    packages = read_packages([entry("one", "a", "common"), entry("two", "common", "b"), entry("three", "c")])
    with pytest.raises(InputError, match=f"ConfigMap {namespace}/common: one .* and two"):
        run_together(operator.installer, packages)
    maps = known(operator.cluster.catalogue().find("v1", "ConfigMap"))
    assert list(operator.cluster.list(Collection(maps, namespace), selector="hearth.cluster/package")) == []


def test_packages_at_once_and_one_that_fails(operator: Operator, namespace: str) -> None:
    def entry(name: str, *needs: str, **data: str) -> dict[str, Any]:
        made = config_map(namespace, name, **data)
        return {
            "name": f"{namespace}-{name}",
            "source": {"inline": [made]},
            "depends_on": [f"{namespace}-{need}" for need in needs],
        }

    packages = read_packages([entry("c", "b", k="1"), entry("b", "a", k="1"), entry("a", k="1"), entry("d", k="1")])
    outcomes = run_together(operator.installer, packages)
    assert [outcome.package.name.removeprefix(f"{namespace}-") for outcome in outcomes] == ["a", "b", "c", "d"]
    assert all(outcome.changed for outcome in outcomes)
    foreign = {**config_map(namespace, "b", k="2"), "dta": {}}
    broken = [
        entry("a", k="2"),
        {**entry("b", "a"), "source": {"inline": [foreign]}},
        entry("c", "b", k="2"),
        entry("d", k="2"),
    ]
    outcomes = run_together(operator.installer, read_packages(broken))
    assert [outcome.error is None for outcome in outcomes] == [True, False, False, True]
    values = {name: known(operator.get("v1", "ConfigMap", namespace, name))["data"]["k"] for name in "abcd"}
    assert values == {"a": "2", "b": "1", "c": "1", "d": "2"}
    for package in packages:
        operator.remove(package.name)
