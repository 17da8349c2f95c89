# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``package`` beside what a user would pick instead: same server, same objects, one run.

Times are those of whole processes; of runs with nothing to do the best of a few, because whatever else the computer
does only adds to them. CPU time is that of the tool's process, without the server's. API time is how long the server
was answering at least one request of a tool, by its audit log.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.ansible_module import find_collections
from tests.bench.audit import Asked, AuditLog
from tests.bench.process import Finished
from tests.bench.row import Row
from tests.bench.tools import Hearth, Helm, Kubectl, KubernetesCore, Package, Tool
from tests.lab.apiserver import ApiServer
from tests.lab.paths import REPOSITORY

FIXTURES = REPOSITORY.parent / "shared" / "fixtures" / "packages" / "kube-prometheus"
OLDER, NEWER = (Package("kube-prometheus", FIXTURES / version) for version in ("v0.17.0", "v0.18.0"))

OBJECTS_PER_PACKAGE = 125
SIZES = (1, 10, 40)
# In packages; beyond it one run takes many minutes.
PEERS_UP_TO = {"kubectl apply": 10, "helm": 10, "kubernetes.core": 1}


@dataclass(frozen=True)
class Measured:
    """One run of a tool: the process, and what it asked of the server."""

    process: Finished
    asked: Asked


@dataclass(frozen=True)
class Table:
    """What every tool needed, by its name."""

    first: dict[str, Measured]
    update: dict[str, Measured]
    noop: dict[str, Measured]
    drifted: dict[str, Measured]


class Bench:
    """One server, on which the tools take turns."""

    def __init__(self, server: ApiServer, audit: AuditLog) -> None:
        self.server = server
        self._audit = audit
        self.tools: tuple[Tool, ...] = (Hearth(server), Kubectl(server), Helm(server), KubernetesCore(server))

    def measure(self, action: Callable[[], Finished]) -> Measured:
        self._audit.since()
        process = action()
        return Measured(process, self._audit.since())

    def best(self, action: Callable[[], Finished], times: int = 3) -> Measured:
        return min((self.measure(action) for _time in range(times)), key=lambda measured: measured.process.seconds)


def measure() -> Iterator[Row]:
    if not NEWER.folder.is_dir():
        raise SystemExit(f"bench: kube-prometheus is not there; expected in {FIXTURES.relative_to(REPOSITORY.parent)}")
    find_collections()
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as directory:
        audit = AuditLog(Path(directory))
        with ApiServer(api_flags=audit.flags) as server:
            bench = Bench(server, audit)
            yield from _kube_prometheus(bench)
            for size in SIZES:
                yield _growth(bench, size, Path(directory))


def _kube_prometheus(bench: Bench) -> Iterator[Row]:
    table = Table({}, {}, {}, {})
    for tool in bench.tools:
        _fill_in(table, bench, tool)
    yield _row("package.noop.api_s", "s", table.noop, lambda measured: measured.asked.seconds, budget=0.15)
    yield _row("package.noop.module_s", "s", table.noop, lambda measured: measured.process.seconds, budget=1.0)
    yield _row("package.noop.cpu_s", "s", table.noop, lambda measured: measured.process.cpu_seconds)
    yield _row("package.noop.peak_mb", "MB", table.noop, lambda measured: measured.process.peak_mb, budget=150)
    yield _row("package.noop.requests", "requests", table.noop, lambda measured: measured.asked.requests)
    yield _row("package.drift1.writes", "writes", table.drifted, lambda measured: measured.asked.writes, budget=1)
    yield _row("package.drift1.bookkeeping", "writes", table.drifted, lambda measured: measured.asked.bookkeeping)
    yield _row("package.first.wall_s", "s", table.first, lambda measured: measured.process.seconds)
    yield _row("package.update.wall_s", "s", table.update, lambda measured: measured.process.seconds)


def _fill_in(table: Table, bench: Bench, tool: Tool) -> None:
    """The life of one package by one tool."""
    table.first[tool.name] = bench.measure(lambda: tool.first(OLDER))
    table.update[tool.name] = bench.measure(lambda: tool.update(NEWER))
    table.noop[tool.name] = bench.best(lambda: tool.apply([NEWER]))
    if isinstance(tool, Kubectl):
        table.noop["kubectl diff"] = bench.best(lambda: tool.diff([NEWER]))
    bench.server.kubectl("--namespace=monitoring", "scale", "deployment/grafana", "--replicas=0")
    table.drifted[tool.name] = bench.measure(lambda: tool.apply([NEWER]))
    tool.remove(NEWER)


def _row(
    identity: str,
    unit: str,
    columns: Mapping[str, Measured],
    value: Callable[[Measured], float],
    budget: float | None = None,
) -> Row:
    values = {name: round(value(measured), 3) for name, measured in columns.items()}
    return Row(identity, unit, values.pop(Hearth.name), values, budget)


def _growth(bench: Bench, size: int, directory: Path) -> Row:
    packages = [_made_up(directory / f"{size}-{number}", number) for number in range(size)]
    columns: dict[str, Measured] = {}
    for tool in bench.tools:
        if size <= PEERS_UP_TO.get(tool.name, size):
            tool.apply(packages)
            columns[tool.name] = bench.best(partial(tool.apply, packages), times=2)
    return _row(f"package.growth.{size}.noop_s", "s", columns, lambda measured: measured.process.seconds)


def _made_up(folder: Path, number: int) -> Package:
    """A package like those of people: one namespace, accounts and rights, configuration, services, workloads."""
    folder.mkdir()
    namespace = f"grown-{number}"
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}]
    kinds = (_account, _role, _config_map, _config_map, _service, _deployment)
    for count in range(OBJECTS_PER_PACKAGE - 1):
        content = kinds[count % len(kinds)]()
        content["metadata"] = {"name": f"it-{count}", "namespace": namespace, "labels": {"app": f"it-{count}"}}
        objects.append(content)
    (folder / "objects.yaml").write_text("---\n".join(json.dumps(content, indent=2) + "\n" for content in objects))
    return Package(namespace, folder)


def _account() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount"}


def _role() -> dict[str, Any]:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}]
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": rules}


def _config_map() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "data": {f"key-{line}": "x" * 40 for line in range(20)}}


def _service() -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "metrics", "port": 9090}]
    return {"apiVersion": "v1", "kind": "Service", "spec": {"selector": {"app": "it"}, "ports": ports}}


def _deployment() -> dict[str, Any]:
    environment = [{"name": f"SETTING_{line}", "value": "x"} for line in range(10)]
    container = {"name": "it", "image": "example.org/it:1", "ports": [{"containerPort": 8080}], "env": environment}
    template = {"metadata": {"labels": {"app": "it"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "it"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
