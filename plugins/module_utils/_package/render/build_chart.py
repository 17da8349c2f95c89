# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. From the files of a chart to objects."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._errors import InputError
from ..._kube.manifest import Manifest
from ..sources.download import Downloads
from ..sources.helm import fetch_chart
from ..sources.source import Chart
from ..sources.tree import Tree, refuse_outside
from .chart import (
    ChartFiles,
    Dependency,
    ReadDocuments,
    check_chart,
    definitions_in,
    missing_dependencies,
    open_chart,
    rendered_manifests,
    tells_time,
)
from .helm import ChartRelease, render
from .hooks import as_steps, wanted
from .situation import Situation
from .unsteady import steadied
from .values import holds_any, texts_in

_A_SECOND = 1.05  # templates tell the time in whole ones


@dataclass(frozen=True)
class ChartBuilder:
    """Renders charts for one package; `read` reads files that have been read before without parsing them again."""

    downloads: Downloads
    situation: Situation
    read: ReadDocuments

    def build(self, tree: Tree, origin: str, values: Mapping[str, Any]) -> list[Manifest]:
        chart = open_chart(tree, origin)
        version = self.situation.version()
        check_chart(chart, version)
        with tempfile.TemporaryDirectory(prefix="hearth-chart-") as folder:
            place = Path(folder) / chart.name
            write_tree({**chart.tree, **self._completed(chart)}, place)
            release = self._release(chart, version)
            once = render(place, release, values, chart.label)
            if tells_time(chart):
                self.downloads.clock.sleep(_A_SECOND)
            again = render(place, release, values, chart.label)
        hidden = texts_in(values)
        first = rendered_manifests(once, chart.label, self.read, lambda text: not holds_any(text, hidden))
        changed = {path: text for path, text in again.items() if once.get(path) != text}
        second = rendered_manifests(changed, chart.label, self.read, lambda _text: False)
        second = {path: second.get(path, manifests) for path, manifests in {**second, **first}.items() if path in again}
        return as_steps(steadied(_wanted(first), _wanted(second), chart.label))

    def _release(self, chart: ChartFiles, version: str) -> ChartRelease:
        # As Helm does: the definitions of a chart are there before its templates ask what the cluster serves.
        catalogue = self.situation.catalogue().with_definitions(definitions_in(chart, self.read))
        namespace = self.situation.namespace or "default"
        return ChartRelease(self.situation.package, namespace, version, catalogue.api_versions())

    def _completed(self, chart: ChartFiles) -> dict[str, bytes]:
        return {f"charts/{needed.name}.tgz": self._dependency(chart, needed) for needed in missing_dependencies(chart)}

    def _dependency(self, chart: ChartFiles, needed: Dependency) -> bytes:
        if not needed.repository.startswith(("https://", "http://", "oci://")):
            raise InputError(
                f"{chart.label} needs the chart {needed.name}, which is not in its folder charts/; fetch it there with"
                " 'helm dependency build'"
            )
        return fetch_chart(Chart(needed.repository, needed.name, needed.version), self.downloads)


def _wanted(manifests: Mapping[str, list[Manifest]]) -> list[Manifest]:
    return wanted([each for path in sorted(manifests) for each in manifests[path]])


def write_tree(tree: Tree, folder: Path) -> None:
    """Put files into a folder that belongs to this run alone."""
    for path, raw in tree.items():
        refuse_outside(path, "what was fetched")
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
