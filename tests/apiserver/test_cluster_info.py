# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as a real API server shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.result_info import result_of_survey
from ansible_collections.hearth.cluster.plugins.module_utils._cluster.spec import survey_for

from tests.lab.apiserver import ApiServer

pytestmark = pytest.mark.apiserver


def look(kubeconfig: Path) -> dict[str, Any]:
    access = {"kubeconfig": str(kubeconfig), "context": None, "server": None, "request_timeout": 60}
    return result_of_survey(survey_for(access).look())


def test_the_cluster_is_told(api_server: ApiServer, kubeconfig: Path) -> None:
    told = look(kubeconfig)
    assert (told["version"], told["ready"], told["failing_checks"]) == (api_server.version, True, [])
    simulated = [each for each in told["nodes"] if each["name"].startswith("simulated-")]
    assert [each["ready"] for each in simulated] == [True] * 3
    assert all(each["version"] and each["created"] for each in simulated)
    assert told["etcd"]["members"] == []


def test_deprecated_apis_in_use_are_told(api_server: ApiServer, kubeconfig: Path, namespace: str) -> None:
    api_server.kubectl("get", "componentstatuses")
    metadata, spec = {"name": "it"}, {"spec": {"devices": {}}}
    template = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": metadata, "spec": spec}
    api_server.kubectl("create", f"--namespace={namespace}", "--filename=-", stdin=json.dumps(template))
    applied = json.dumps({**template, "apiVersion": "resource.k8s.io/v1beta1"})
    note = f"kubectl.kubernetes.io/last-applied-configuration={applied}"
    api_server.kubectl("annotate", "resourceclaimtemplates", "it", f"--namespace={namespace}", note)
    told = look(kubeconfig)["deprecated_apis"]
    assert (told["requests_known"], told["objects_known"]) == (True, True)
    assert {"group": "", "version": "v1", "resource": "componentstatuses", "removed_in": ""} in told["requested"]
    (found,) = [each for each in told["objects"] if each["namespace"] == namespace]
    assert (found["manager"], found["removed_in"]) == ("kubectl apply", "1.38")


def test_who_may_not_read_the_counters_is_told_the_rest(
    api_server: ApiServer, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    seen = "--resource=nodes,pods,storageclasses.storage.k8s.io"
    api_server.kubectl("create", "clusterrole", namespace, "--verb=get,list", seen)
    user = f"--serviceaccount={namespace}:default"
    api_server.kubectl("create", "clusterrolebinding", namespace, f"--clusterrole={namespace}", user)
    token = api_server.kubectl("create", "token", "default", f"--namespace={namespace}").strip()
    content = json.loads(kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    weak = tmp_path / "kubeconfig"
    weak.write_text(json.dumps(content))
    told = look(weak)
    assert told["deprecated_apis"] == {
        "requests_known": False,
        "requested": [],
        "objects_known": False,
        "objects": [],
    }
    assert len(told["nodes"]) >= 3
    assert told["workloads"] == {"total": 0, "known": False, "unhealthy": []}
