# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A chart: what it says about itself, and what of its output is meant for the cluster."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._errors import InputError
from ..._kube.fields import sequence, text
from ..._kube.manifest import Manifest, manifests_of
from ..._kube.yaml import Document, read_documents
from ..sources.tree import Tree
from ..version import Constraint, Version

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOW = re.compile(rb"\{\{[^}]*\bnow\b")

ReadDocuments = Callable[[bytes, str], Sequence[Document]]


@dataclass(frozen=True)
class ChartFiles:
    """The files of one chart, from its own top on, and its Chart.yaml."""

    tree: Tree
    about: Mapping[str, Any]
    origin: str

    @property
    def name(self) -> str:
        return text(self.about, "name")

    @property
    def label(self) -> str:
        """For people."""
        return f"chart {self.name} {text(self.about, 'version')}"


def open_chart(tree: Tree, origin: str) -> ChartFiles:
    """The chart that lies at the top of a tree, or in its only folder."""
    top = tree
    if "Chart.yaml" not in top:
        folders = {path.partition("/")[0] for path in tree if path.count("/") == 1 and path.endswith("/Chart.yaml")}
        if len(folders) != 1:
            raise InputError(f"{origin} is no chart: there is no Chart.yaml in it")
        start = f"{folders.pop()}/"
        top = {path[len(start) :]: raw for path, raw in tree.items() if path.startswith(start)}
    described = next(iter(read_documents(_decoded(top["Chart.yaml"]), f"{origin}: Chart.yaml")), None)
    about = described.content if described else None
    if not isinstance(about, Mapping) or not _NAME.fullmatch(str(about.get("name", ""))):
        raise InputError(f"{origin}: Chart.yaml has no name, or one that is no name of a chart")
    return ChartFiles(top, about, origin)


def check_chart(chart: ChartFiles, kube_version: str) -> None:
    """Refuse what cannot work before anything is rendered."""
    if chart.about.get("type") == "library":
        raise InputError(f"{chart.label} is a library for other charts; it has no objects of its own")
    wanted = str(chart.about.get("kubeVersion") or "")
    if wanted and not Constraint.parse(wanted).admits(Version.parse(kube_version)):
        raise InputError(
            f"{chart.label} wants Kubernetes {wanted}, and this cluster has {kube_version}; take another version of the"
            " chart, or upgrade the cluster first"
        )


@dataclass(frozen=True)
class Dependency:
    """A chart that another one needs, from Chart.yaml."""

    name: str
    version: str
    repository: str


def missing_dependencies(chart: ChartFiles) -> list[Dependency]:
    """What Chart.yaml names and the folder charts/ does not have; archives of charts come with all they need."""
    there = {path.split("/")[1] for path in chart.tree if path.startswith("charts/")}
    found = []
    for each in sequence(chart.about, "dependencies"):
        needed = Dependency(text(each, "name"), text(each, "version"), text(each, "repository").rstrip("/"))
        packed = re.compile(rf"{re.escape(needed.name)}(-v?[0-9].*)?(\.tgz)?")
        if not any(packed.fullmatch(entry) for entry in there):
            found.append(needed)
    return found


def tells_time(chart: ChartFiles) -> bool:
    """Whether a template asks what time it is."""
    return any(_NOW.search(raw) for path, raw in chart.tree.items() if "templates" in path.split("/"))


def definitions_in(chart: ChartFiles, read: ReadDocuments) -> Iterator[Manifest]:
    """The definitions of kinds that lie in crds/ folders of the chart and of those inside of it."""
    for path in sorted(chart.tree):
        if _is_definition_file(path) and path.endswith((".yaml", ".yml", ".json")):
            yield from manifests_of(read(chart.tree[path], path), path)


def rendered_manifests(
    outputs: Mapping[str, str], origin: str, read: ReadDocuments, may_be_kept: Callable[[str], bool]
) -> dict[str, list[Manifest]]:
    """The objects in what every template gave; notes for people are passed over.

    Reading may remember what it read, which is right only for output that holds nothing of the operator's.
    """
    manifests: dict[str, list[Manifest]] = {}
    for path in sorted(outputs):
        text = outputs[path]
        if posixpath.basename(path) == "NOTES.txt" or not text.strip():
            continue
        is_definition = _is_definition_file(path)
        place = f"{origin}: {path}" if is_definition else f"{origin}: what {path} gives"
        remembers = is_definition or may_be_kept(text)
        documents = read(text.encode(), place) if remembers else read_documents(text, place)
        manifests[path] = list(manifests_of(documents, place))
    return manifests


def _is_definition_file(path: str) -> bool:
    folders = path.split("/")[:-1]
    return "crds" in folders and "templates" not in folders


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8-sig", "replace")
