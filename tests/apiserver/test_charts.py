# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts on a real API server: installed, left alone, upgraded with their hooks, stopped by a hook that fails."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._package.install import Installer, Outcome
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package
from ansible_collections.hearth.cluster.plugins.module_utils._package.spec import installer_for

from tests.lab.apiserver import ApiServer
from tests.support.charts import job, lay_out, shop

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")
pytestmark = [pytest.mark.apiserver]

HOOKS = {
    "templates/before.yaml": job("before", "pre-install,pre-upgrade"),
    "templates/once.yaml": job("once", "pre-install", weight="-1"),
    "templates/upgrade.yaml": job("upgrade", "pre-upgrade", weight="1"),
    "templates/after.yaml": job("after", "post-install,post-upgrade"),
    "templates/test.yaml": job("test", "test"),
    "templates/back.yaml": job("back", "post-rollback"),
    "templates/goodbye.yaml": job("goodbye", "pre-delete"),
}


class Operator:
    """Runs one chart as the module does, in a namespace of the test's own."""

    def __init__(self, server: ApiServer, folder: Path, namespace: str) -> None:
        self.server, self.folder, self.namespace = server, folder, namespace
        self.told: list[str] = []

    def run(self, files: dict[str, bytes], **options: Any) -> Outcome:
        lay_out(files, self.folder / "chart")
        entry = {
            "name": self.namespace,
            "source": {"directory": ".", "chart": "chart"},
            "namespace": self.namespace,
            "values": {"cache": {"enabled": False}},
            "wait_timeout": 60,
            **options,
        }
        return self._installer().run(read_package(entry, "packages[0]"))

    def go_back(self) -> Outcome:
        entry = {"name": self.namespace, "state": "previous", "wait_timeout": 60}
        return self._installer().run(read_package(entry, "packages[0]"))

    def remove(self) -> Outcome:
        entry = {"name": self.namespace, "state": "absent", "prune_also": ["CustomResourceDefinition"]}
        return self._installer().run(read_package(entry, "packages[0]"))

    def _installer(self) -> Installer:
        params = {
            "kubeconfig": str(self.server.kubeconfig),
            "context": None,
            "server": None,
            "request_timeout": 60,
            "search_path": [str(self.folder)],
            "lock_file": None,
            "mirrors": {},
        }
        return installer_for(params, check=False, report=self.told.append)

    def objects(self, kinds: str) -> dict[str, Any]:
        listed = self.server.kubectl("get", kinds, "--namespace", self.namespace, "--output=json")
        return {each["metadata"]["name"]: each for each in json.loads(listed)["items"]}

    def uids(self) -> dict[str, str]:
        return {name: live["metadata"]["uid"] for name, live in self.objects("jobs").items()}

    def password(self) -> str:
        return str(self.objects("secrets")["shop"]["data"]["password"])

    def versions(self) -> dict[str, str]:
        live = self.objects("jobs,secrets,configmaps,deployments")
        return {name: each["metadata"]["resourceVersion"] for name, each in live.items()}


@pytest.fixture
def operator(api_server: ApiServer, tmp_path: Path, namespace: str) -> Operator:
    return Operator(api_server, tmp_path, namespace)


def test_a_chart_with_hooks_lives_from_its_first_install_to_its_removal(operator: Operator) -> None:
    operator.run(shop(**HOOKS))
    jobs = operator.objects("jobs")
    assert set(jobs) == {"before", "once", "after"}
    started = {name: live["status"]["startTime"] for name, live in jobs.items()}
    assert started["once"] <= jobs["once"]["status"]["completionTime"] <= started["before"] <= started["after"]
    password, uids, versions = operator.password(), operator.uids(), operator.versions()

    time.sleep(2)  # jobs that removed themselves would be gone by now
    assert not operator.run(shop(**HOOKS)).plan.changed
    assert operator.versions() == versions

    definition = shop()["crds/shops.yaml"].decode().replace("singular: shop}", "singular: shop, shortNames: [shp]}")
    newer = shop("1.3.0", **HOOKS, **{"crds/shops.yaml": definition})
    operator.run(newer)
    assert "shp" in operator.server.kubectl("get", "crd", "shops.example.org", "--output=json")
    upgraded = operator.uids()
    assert set(upgraded) == {"before", "once", "after", "upgrade"}
    assert {name for name in uids if upgraded[name] != uids[name]} == {"before", "after"}
    assert operator.password() == password
    assert not operator.run(newer).plan.changed

    operator.go_back()
    assert operator.objects("deployments")[f"{operator.namespace}-web"]["metadata"]["labels"]["chart"] == "shop-1.2.3"
    assert operator.password() == password
    assert set(operator.uids()) == {"once", "back"}  # nothing that is for upgrades runs on the way back
    assert not operator.go_back().plan.changed
    operator.run(newer)
    assert set(operator.uids()) == {"before", "once", "after", "upgrade"}

    removed = operator.remove()
    assert [step.identity.name for step in removed.plan.writes] == ["goodbye"]
    assert operator.objects("jobs,deployments,configmaps") == {
        name: live for name, live in operator.objects("configmaps").items() if name == "kube-root-ca.crt"
    }
    assert "shop" not in operator.objects("secrets")


def test_a_hook_that_fails_stops_everything_behind_it(operator: Operator) -> None:
    failing = {"templates/before.yaml": job("before", "pre-install", image="lab.invalid/failing")}
    with pytest.raises(NotReadyError, match=r"Job .*before"):
        operator.run(shop(**failing), wait_timeout=20)
    assert operator.objects("deployments") == {}
    assert "settings" not in operator.objects("configmaps")
