# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed, and runs that meet each other, on a real API server: the next run is exact all the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.fields import known
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Collection

from tests.lab.apiserver import ApiServer
from tests.lab.errors import LabError
from tests.lab.etcd import Etcd
from tests.support.contract import config_map, definition
from tests.support.faulty_server import FAULTS, faulty_server
from tests.support.operator import Operator

pytestmark = pytest.mark.apiserver

ROOT = Path(__file__).parents[2]
MOVES = 6
NAMES = [f"m{number}" for number in range(60)]


@pytest.fixture
def operator(kubeconfig: Path) -> Operator:
    return Operator(kubeconfig)


@dataclass
class Child:
    """A run in a process of its own."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, kubeconfig: Path, name: str, objects: Iterable[dict[str, Any]]) -> Child:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.run_package"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        known(process.stdin).write(json.dumps({"kubeconfig": str(kubeconfig), "name": name, "objects": list(objects)}))
        known(process.stdin).close()
        return cls(process)

    @property
    def lines(self) -> IO[str]:
        return known(self.process.stdout)

    def wait_for(self, words: str) -> None:
        assert any(words in line for line in self.lines), f"the run ended and never said {words!r}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.lines.close()


def objects(namespace: str, values: dict[str, str]) -> list[dict[str, Any]]:
    """A definition with objects of its kind, and settings: several stages, all of them many writes."""
    group = f"{namespace}.example.org"
    things = [
        {
            "apiVersion": f"{group}/v1",
            "kind": "Thing",
            "metadata": {"name": name, "namespace": namespace},
            "size": value,
        }
        for name, value in list(values.items())[::6]
    ]
    return [
        definition(group, "Thing"),
        *(config_map(namespace, name, k=value) for name, value in values.items()),
        *things,
    ]


def found(operator: Operator, namespace: str) -> dict[str, str]:
    """Everything of the package that there is, with its value."""
    catalogue = operator.cluster.catalogue(fresh=True)
    selector = "hearth.cluster/package=killed"
    maps = operator.cluster.list(Collection(known(catalogue.find("v1", "ConfigMap")), namespace), selector=selector)
    kind = catalogue.find(f"{namespace}.example.org/v1", "Thing")
    things = operator.cluster.list(Collection(kind, namespace), selector=selector) if kind else ()
    return {
        **{live["metadata"]["name"]: live["data"]["k"] for live in maps},
        **{f"thing {live['metadata']['name']}": live["size"] for live in things},
    }


def expected(values: dict[str, str]) -> dict[str, str]:
    return {**values, **{f"thing {name}": value for name, value in list(values.items())[::6]}}


def some(chance: random.Random) -> dict[str, str]:
    names = sorted(chance.sample(NAMES, chance.randrange(20, len(NAMES))))
    return {name: chance.choice("12") for name in names}


def survive_kills(operator: Operator, kubeconfig: Path, namespace: str, times: int) -> None:
    seed = int(os.environ.get("HEARTH_SEED") or random.randrange(10**6))
    print(f"HEARTH_SEED={seed}")
    chance = random.Random(seed)
    before = some(chance)
    operator.apply("killed", *objects(namespace, before))
    operator.cluster.apply(
        known(operator.cluster.catalogue().find("v1", "ConfigMap")),
        config_map(namespace, "foreign", k="1"),
        manager="x",
    )
    for _time in range(times):
        child = Child.start(kubeconfig, "killed", objects(namespace, some(chance)))
        child.wait_for("objects to write")  # from here on it writes
        time.sleep(chance.uniform(0, 0.6))
        child.kill()
        # What was there before the interrupted run, or something else again.
        before = before if chance.random() < 0.5 else some(chance)
        operator.apply("killed", *objects(namespace, before))
        assert found(operator, namespace) == expected(before), f"HEARTH_SEED={seed}"
        assert not operator.apply("killed", *objects(namespace, before)).plan.changed, f"HEARTH_SEED={seed}"
    assert operator.get("v1", "ConfigMap", namespace, "foreign") is not None
    operator.remove("killed")
    assert found(operator, namespace) == {}
    assert operator.get("v1", "ConfigMap", namespace, "foreign") is not None


def test_a_run_that_is_killed_is_finished_by_the_next(operator: Operator, kubeconfig: Path, namespace: str) -> None:
    survive_kills(operator, kubeconfig, namespace, times=3)


@pytest.mark.soak
def test_twenty_runs_that_are_killed_are_finished_by_the_next(
    operator: Operator, kubeconfig: Path, namespace: str
) -> None:
    survive_kills(operator, kubeconfig, namespace, times=20)


def test_of_two_runs_at_once_the_second_waits_and_nothing_is_lost(
    operator: Operator, kubeconfig: Path, namespace: str
) -> None:
    ones, twos = dict.fromkeys(NAMES, "1"), dict.fromkeys(NAMES[:40], "2")
    first = Child.start(kubeconfig, "killed", objects(namespace, ones))
    first.wait_for("objects to write")
    second = Child.start(kubeconfig, "killed", objects(namespace, twos))
    told = list(second.lines)
    assert first.process.wait(timeout=60) == 0
    assert second.process.wait(timeout=60) == 0
    first.lines.close()
    second.lines.close()
    assert told[-1] == "ended, changed=True\n"
    assert found(operator, namespace) == expected(twos)
    assert not operator.apply("killed", *objects(namespace, twos)).plan.changed
    assert operator.get("coordination.k8s.io/v1", "Lease", "kube-system", "hearth-killed") is None
    operator.remove("killed")


def test_an_api_server_that_is_away_for_a_while_does_not_end_a_run(
    operator: Operator, api_server: ApiServer, kubeconfig: Path, namespace: str
) -> None:
    values = dict.fromkeys(NAMES, "1")
    child = Child.start(kubeconfig, "killed", objects(namespace, values))
    child.wait_for("objects to write")
    api_server.stop_api()
    time.sleep(3)
    api_server.start_api()
    assert list(child.lines)[-1] == "ended, changed=True\n"
    assert child.process.wait(timeout=60) == 0
    child.lines.close()
    assert found(operator, namespace) == expected(values)
    assert not operator.apply("killed", *objects(namespace, values)).plan.changed
    operator.remove("killed")


@contextmanager
def restless(etcd: Etcd) -> Iterator[list[str]]:
    """Lets another member of an etcd cluster lead, again and again, for as long as it lasts; yields who did."""
    led: list[str] = []
    ended = threading.Event()

    def move() -> None:
        while not ended.wait(0.3):
            member = etcd.move_leader()
            led.extend([member.name] if member else [])

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        try:
            yield led
        finally:
            ended.set()
            moving.result()


def test_a_leader_of_etcd_that_moves_does_not_end_a_run() -> None:
    with ApiServer(nodes=0, etcd_members=3) as server:
        operator = Operator(server.kubeconfig)
        with restless(server.etcd) as led:
            while len(led) < MOVES:
                values = {f"m{number}": str(len(led)) for number in range(300)}
                operator.apply("killed", *objects("default", values))
                assert found(operator, "default") == expected(values)
        assert set(led) == {member.name for member in server.etcd.members}
        assert not operator.apply("killed", *objects("default", values)).plan.changed
        operator.remove("killed")
        assert found(operator, "default") == {}


def test_a_server_that_fails_now_and_then_is_outlasted(
    operator: Operator, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HEARTH_SEED") or random.randrange(10**6))
    print(f"HEARTH_SEED={seed}")
    with faulty_server(kubeconfig, tmp_path, chance=0.04, seed=seed) as (faulty, path):
        unlucky = Operator(path)
        for values in (dict.fromkeys(NAMES, "1"), dict.fromkeys(NAMES[20:], "2")):
            outcome = unlucky.apply("killed", *objects(namespace, values))
            assert outcome.plan.changed
            assert found(operator, namespace) == expected(values)
            assert not operator.apply("killed", *objects(namespace, values)).plan.changed
        unlucky.remove("killed")
    assert found(operator, namespace) == {}
    assert all(faulty.done[fault] for fault in FAULTS), faulty.done


def test_a_webhook_that_is_not_up_yet_is_waited_for(
    operator: Operator, api_server: ApiServer, kubeconfig: Path, namespace: str
) -> None:
    """It refuses every ConfigMap of the namespace, because nobody answers where it shall be."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
    hook = {
        "name": "absent.example.org",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
    }
    kind = "ValidatingWebhookConfiguration"
    content = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": namespace}}
    api_server.kubectl("create", "--filename=-", stdin=json.dumps({**content, "webhooks": [hook]}))
    try:
        wait_until_refused(api_server, namespace)
        child = Child.start(kubeconfig, "killed", [config_map(namespace, "a", k="1")])
        child.wait_for("objects to write")
        time.sleep(2)
        assert operator.get("v1", "ConfigMap", namespace, "a") is None
    finally:
        api_server.kubectl("delete", kind, namespace)
    assert list(child.lines)[-1] == "ended, changed=True\n"
    assert child.process.wait(timeout=60) == 0
    child.lines.close()
    assert not operator.apply("killed", config_map(namespace, "a", k="1")).plan.changed
    operator.remove("killed")


def wait_until_refused(api_server: ApiServer, namespace: str) -> None:
    """The server learns of a webhook a moment after it was written."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            api_server.kubectl("create", "configmap", "probe", f"--namespace={namespace}", "--dry-run=server")
        except LabError:
            return
        time.sleep(0.1)
