# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages as an operator runs them, on a cluster in memory and with a clock that a test moves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._kube.health.verdict import Surroundings
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.install import Installer, Outcome
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package, read_packages
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.record import read_record
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.turns import Runner, Turns
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.together import run_together

from tests.support.fake_cluster import BUILT_IN, FakeCluster

MAPS = next(each for each in BUILT_IN if each.kind == "ConfigMap")
SECRETS = next(each for each in BUILT_IN if each.kind == "Secret")


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def no_download(address: str) -> bytes:
    raise AssertionError(f"nothing here downloads {address}")


class World:
    """A cluster, a clock, and packages that are run against them."""

    def __init__(self, folder: Path) -> None:
        self.cluster = FakeCluster()
        self.time = Time()
        self.cluster.pass_time = self.time.sleep
        self.lines: list[str] = []
        self.numbers = itertools.count(1)
        self.fetcher = Fetcher((folder,), ParsedFiles(folder / "cache"), no_download)

    def run(self, *objects: dict[str, Any], check: bool = False, **options: Any) -> Outcome:
        entry = {"name": "p", **({"source": {"inline": list(objects)}} if objects else {}), **options}
        return self.installer(check=check).run(read_package(entry, "packages[0]"))

    def run_all(self, *entries: dict[str, Any], check: bool = False) -> list[Outcome]:
        return run_together(self.installer(check=check), read_packages(entries))

    def installer(self, *, check: bool = False) -> Installer:
        clock = Clock(lambda: self.time.now, self.time.sleep)
        runner = Runner(f"pi@here/k/{next(self.numbers)}/x", "hearth-turn-x", lambda: "now", lambda _name: False)
        return Installer(
            cluster=self.cluster,
            fetcher=self.fetcher,
            clock=clock,
            surroundings=Surroundings,
            turns=Turns(self.cluster, clock, runner, self.lines.append),
            report=self.lines.append,
            check=check,
        )

    def names(self, kind: str = "ConfigMap") -> list[str]:
        return sorted(key[3] for key in self.cluster.objects if key[1] == kind)

    def writes(self) -> list[str]:
        done = [line for line in self.cluster.writes if " Lease " not in line]  # the turn that every run takes
        self.cluster.writes.clear()
        return done

    @property
    def record(self) -> Any:
        return read_record("p", self.cluster.get(SECRETS, "kube-system", "hearth-p"))


RECORD = "apply Secret kube-system/hearth-p"


def kept(release: int) -> str:
    return f"{RECORD}.v{release}.1"


def deployment_manifest(image: str = "nginx:1") -> dict[str, Any]:
    pod = {"containers": [{"name": "main", "image": image}]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": pod}}
    metadata = {"name": "web", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def running_deployment() -> dict[str, Any]:
    conditions = [
        {"type": "Available", "status": "True"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ]
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    return {**deployment_manifest(), "status": {**counts, "conditions": conditions}}
