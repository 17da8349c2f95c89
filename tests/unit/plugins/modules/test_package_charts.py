# SPDX-License-Identifier: GPL-3.0-or-later
"""The module with a chart, as Ansible runs it, on a cluster in memory: twice is once, and a secret stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._package.program import Done
from ansible_collections.hearth.cluster.plugins.module_utils._package.render import helm
from ansible_collections.hearth.cluster.plugins.modules import package

from tests.support.charts import lay_out, simple
from tests.support.fake_cluster import FakeCluster

from .kube_module import Runner, RunnerFor

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")

PASSWORD = "correct-horse-battery"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {given: {{ .Values.adminPassword | quote }}, made: {{ randAlphaNum 30 }}}
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {copy: {{ .Values.adminPassword | quote }}, encoded: {{ printf "user:%s" .Values.adminPassword | b64enc }}}
"""


@pytest.fixture
def run(runner_for: RunnerFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lay_out(simple("shop", {"secret.yaml": SECRET, "settings.yaml": SETTINGS}), tmp_path / "shop")
    return runner_for(
        package,
        name="p",
        source={"directory": "shop", "chart": "."},
        values={"adminPassword": PASSWORD},
        search_path=[str(tmp_path)],
        _ansible_diff=True,
    )


def test_twice_is_once_although_the_chart_makes_up_a_password(run: Runner, cluster: FakeCluster) -> None:
    assert run()["changed"]
    before = dict(cluster.objects)
    assert not run()["changed"]
    assert cluster.objects == before


def test_a_password_among_the_values_is_in_no_output_and_in_no_file(run: Runner, tmp_path: Path) -> None:
    for arguments in (
        {"_ansible_check_mode": True},
        {},
        {"values": {"adminPassword": PASSWORD, "other": 1}},
        {"source": {"directory": "shop", "chart": "nowhere"}},
        {"wrong": {"adminPassword": PASSWORD}},
    ):
        run(**arguments)
    assert PASSWORD not in run.output
    found = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert found == []


def test_a_password_among_the_values_is_no_argument_of_a_program(
    run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    started: list[tuple[Any, Any]] = []

    def started_with(words: Any, **options: Any) -> Any:
        started.append((words, options))
        return Done(1, b"", "Error: no")

    monkeypatch.setitem(__import__("sys").modules, "helm_python", None)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(helm, "run_program", started_with)
    answer = run()
    assert "cannot be rendered: no" in answer["msg"]
    ((words, options),) = started
    assert PASSWORD not in " ".join(words)
    assert PASSWORD not in str(options.get("environment"))
    assert PASSWORD.encode() in options["given"]
