# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Helm's own engine: in this process by helm-python-sdk, else by the program helm."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._errors import InputError
from ..program import run_program

_SOURCE = re.compile(r"^# Source: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class ChartRelease:
    """Under what name, in which namespace and for what cluster a chart is rendered."""

    name: str
    namespace: str
    kube_version: str
    api_versions: tuple[str, ...] = ()


def render(chart: Path, release: ChartRelease, values: Mapping[str, Any], origin: str) -> dict[str, str]:
    """What the templates of a chart (a folder or an archive) give, and its definitions, by their paths."""
    try:
        import helm_python  # noqa: PLC0415  # 85 MB, which only runs with charts shall load
    except ImportError:
        return _by_program(chart, release, values, origin)
    except (
        Exception
    ) as error:  # the library is there and does not fit this machine; it has an error of its own for that
        return _by_program(chart, release, values, f"{origin} (helm-python-sdk cannot be loaded: {error})")
    return _in_process(helm_python, chart, release, values, origin)


def _in_process(
    helm: Any, chart: Path, release: ChartRelease, values: Mapping[str, Any], origin: str
) -> dict[str, str]:
    options = {
        "name": release.name,
        "namespace": release.namespace,
        "kube_version": release.kube_version,
        "api_versions": list(release.api_versions),
    }
    try:
        with helm.Chart.load(str(chart)) as loaded:
            # The method Chart.render does not pass on which cluster it is for; the engine below it has these options.
            answer = helm._native.call_string("helm_render", loaded._raw(), json.dumps(values), json.dumps(options))
            definitions = {each["filename"]: each["data"] for each in loaded.crds}  # of what is switched on, by now
    except helm.HelmError as error:
        raise _refused(str(error), origin) from error
    return {**json.loads(answer), **definitions}


def _by_program(chart: Path, release: ChartRelease, values: Mapping[str, Any], origin: str) -> dict[str, str]:
    program = shutil.which("helm")
    if program is None:
        raise InputError(
            f"{origin}: charts are rendered by Helm's own engine, which is not installed for {sys.executable};"
            f" install it with '{sys.executable} -m pip install helm-python-sdk', or put the program helm into PATH"
        )
    words = [
        *(program, "template", release.name, str(chart), "--namespace", release.namespace, "--values", "-"),
        *("--kube-version", release.kube_version),
        *("--api-versions", ",".join(release.api_versions), "--include-crds"),
    ]
    done = run_program(words, given=json.dumps(values).encode())
    if done.status:
        raise _refused(done.told, origin)
    return split_output(done.output.decode(errors="replace"))


def split_output(text: str) -> dict[str, str]:
    """What ``helm template`` prints, by the template that every document is from."""
    outputs: dict[str, str] = {}
    for document in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        source = _SOURCE.search(document)
        if source:
            outputs[source[1]] = outputs.get(source[1], "") + f"---{document}"
    return outputs


def _refused(message: str, origin: str) -> InputError:
    """Helm's words on one line; they name the template and the line in it."""
    told = re.sub(r"\s+", " ", message).strip().removeprefix("Error: ")
    told = re.sub(r"\s*Use --debug flag to render out invalid YAML\s*", "", told)
    return InputError(f"{origin} cannot be rendered: {told}", reason="template")
