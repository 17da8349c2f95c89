# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools that are measured side by side: each applies folders of manifests to the same server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.bench.ansible_module import write_module
from tests.bench.process import NOTHING, Finished, run
from tests.lab import builds
from tests.lab.apiserver import ApiServer


@dataclass(frozen=True)
class Package:
    """A folder of manifests; what lies in its folder ``setup`` must be there before the rest is accepted."""

    name: str
    folder: Path

    @property
    def stages(self) -> tuple[Path, ...]:
        setup = self.folder / "setup"
        return (setup, self.folder) if setup.is_dir() else (self.folder,)


class Tool(Protocol):
    """Applies packages, each method a whole process or the few that the tool's manual asks for."""

    name: str

    def first(self, package: Package) -> Finished:
        """Install on a server that has nothing of it."""

    def apply(self, packages: Sequence[Package]) -> Finished:
        """Bring packages that are there up to date."""

    def update(self, package: Package) -> Finished:
        """Bring a package that is there in another version to this one."""

    def remove(self, package: Package) -> None:
        """Take everything away again; not measured."""


class Hearth:
    """This collection: the module as Ansible sends it."""

    name = "ours"

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def first(self, package: Package) -> Finished:
        return self.apply([package])

    def update(self, package: Package) -> Finished:
        return self.apply([package])

    def apply(self, packages: Sequence[Package]) -> Finished:
        entries = [{"name": each.name, "source": {"directory": str(each.folder)}, "wait": False} for each in packages]
        return self._run(entries)

    def remove(self, package: Package) -> None:
        protected = ["Namespace", "CustomResourceDefinition"]
        self._run([{"name": package.name, "state": "absent", "prune_also": protected}])

    def _run(self, entries: list[dict[str, Any]]) -> Finished:
        arguments = {"packages": entries, "kubeconfig": str(self._server.kubeconfig)}
        module = write_module("hearth.cluster.package", arguments, self._server.directory / "package.py")
        return run([sys.executable, module], {}, self._server.directory / "package.log")


class Kubectl:
    """kubectl, in the way that the projects themselves tell their users to install."""

    name = "kubectl apply"

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def first(self, package: Package) -> Finished:
        *setup, rest = package.stages
        finished = NOTHING
        for stage in setup:
            finished += self.define(stage)
        return finished + self._apply(rest)

    def apply(self, packages: Sequence[Package]) -> Finished:
        return self._apply(*(stage for package in packages for stage in package.stages))

    def update(self, package: Package) -> Finished:
        return self.apply([package])

    def define(self, folder: Path) -> Finished:
        """Apply definitions and wait until they are served; no time where there are none."""
        if not any(folder.iterdir()):
            return NOTHING
        return self._apply(folder) + self._kubectl("wait", "--for=condition=Established", "--all", "crd")

    def diff(self, packages: Sequence[Package]) -> Finished:
        return self._kubectl("diff", "--server-side", "--force-conflicts", *_files(packages))

    def remove(self, package: Package) -> None:
        for stage in reversed(package.stages):  # an object is found only as long as its definition is there
            self._kubectl("delete", "--ignore-not-found", f"--filename={stage}")

    def _apply(self, *folders: Path) -> Finished:
        files = (f"--filename={folder}" for folder in folders)
        return self._kubectl("apply", "--server-side", "--force-conflicts", *files)

    def _kubectl(self, *arguments: str) -> Finished:
        directory = self._server.directory
        connection = (f"--kubeconfig={self._server.kubeconfig}", f"--cache-dir={directory / 'cache'}")
        return run([directory / "bin" / "kubectl", *connection, *arguments], {}, directory / "kubectl.log")


def _files(packages: Sequence[Package]) -> Iterator[str]:
    return (f"--filename={stage}" for package in packages for stage in package.stages)


# What other tools have applied before it does not stand in its way.
_OVER_OTHERS = ("--install", "--take-ownership", "--force-conflicts")


class Helm:
    """Helm, with a chart of the same objects.

    Definitions go beside the chart and are applied by kubectl, as manuals of charts tell for updates: Helm never
    updates what lies in ``crds/``, and with them in it a release would be larger than the Secret that it is kept in.
    """

    name = "helm"

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._kubectl = Kubectl(server)
        self._program = builds.build(builds.PROGRAMS["helm"])

    def first(self, package: Package) -> Finished:
        return self.update(package)

    def update(self, package: Package) -> Finished:
        return self._kubectl.define(_definitions(self._chart(package))) + self.apply([package])

    def apply(self, packages: Sequence[Package]) -> Finished:
        finished = NOTHING
        for package in packages:
            finished += self._helm("upgrade", package.name, self._chart(package), *_OVER_OTHERS)
        return finished

    def remove(self, package: Package) -> None:
        self._helm("uninstall", package.name)
        self._kubectl.remove(package)

    def _helm(self, verb: str, *arguments: str | Path) -> Finished:
        connection = (f"--kubeconfig={self._server.kubeconfig}", "--namespace=default")
        return run([self._program, verb, *arguments, *connection], {}, self._server.directory / "helm.log")

    def _chart(self, package: Package) -> Path:
        chart = self._server.directory / "charts" / package.name / package.folder.name
        definitions = _definitions(chart)
        if not chart.exists():
            (chart / "templates").mkdir(parents=True)
            definitions.mkdir()
            (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {package.name}\nversion: 1.0.0\n")
            for number, content in enumerate(_contents(package)):
                text = json.dumps(content)
                if content["kind"] == "CustomResourceDefinition":
                    (definitions / f"{number}.json").write_text(text)
                else:
                    (chart / "templates" / f"{number}.yaml").write_text(_as_template(text))
        return chart


def _definitions(chart: Path) -> Path:
    return chart.with_name(f"{chart.name}-definitions")


def _as_template(text: str) -> str:
    """What a template gives exactly this text."""
    return text.replace("{{", '{{ "{{" }}')


def _contents(package: Package) -> list[Any]:
    return [each for stage in package.stages for each in _objects(stage)]


class KubernetesCore:
    """kubernetes.core.k8s with server-side apply: one module call for a list of objects."""

    name = "kubernetes.core"

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._kubectl = Kubectl(server)

    def first(self, package: Package) -> Finished:
        finished = NOTHING
        for stage in package.stages:
            finished += self._apply(_objects(stage))
        return finished

    def update(self, package: Package) -> Finished:
        return self.apply([package])

    def apply(self, packages: Sequence[Package]) -> Finished:
        return self._apply([each for package in packages for each in _contents(package)])

    def remove(self, package: Package) -> None:
        self._kubectl.remove(package)

    def _apply(self, objects: list[Any]) -> Finished:
        arguments = {
            "definition": objects,
            "apply": True,
            "server_side_apply": {"field_manager": "bench", "force_conflicts": True},
            "kubeconfig": str(self._server.kubeconfig),
        }
        module = write_module("kubernetes.core.k8s", arguments, self._server.directory / "k8s.py")
        return run([sys.executable, module], {}, self._server.directory / "k8s.log")


def _objects(folder: Path) -> list[Any]:
    """Read by our reader: the peer's own cannot read some manifests, and reading is no part of what is compared."""
    # Collections can be imported only after Ansible was told where they are.
    from ansible_collections.hearth.cluster.plugins.module_utils._kube.yaml import read_documents  # noqa: PLC0415

    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
    contents = [document.content for file in files for document in read_documents(file.read_text(), str(file))]
    expanded = [content.get("items") or [content] for content in contents if content]
    return [each for items in expanded for each in items]
