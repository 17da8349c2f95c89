# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, on a cluster in memory."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.options import CONNECTION
from ansible_collections.hearth.cluster.plugins.module_utils._package import spec
from ansible_collections.hearth.cluster.plugins.modules import package

from tests.support.contract import config_map
from tests.support.fake_cluster import FakeCluster

from .kube_module import Runner, RunnerFor, assert_documented

PASSWORD = "correct-horse-battery"


@pytest.fixture
def run(runner_for: RunnerFor, tmp_path: Path) -> Runner:
    return runner_for(package, search_path=[str(tmp_path)])


def inline(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"inline": list(objects)}


def test_the_answer_has_one_shape_whatever_happens(run: Runner) -> None:
    source = inline(config_map("default", "a", k="1"))
    for arguments, counts in (
        ({"name": "p", "source": source}, {"create": 1}),
        ({"name": "p", "source": source}, {"keep": 1}),
        ({"packages": [{"name": "p", "source": source}]}, {"keep": 1}),
        ({"name": "p", "state": "absent"}, {"prune": 1}),
        ({"name": "p", "state": "absent"}, {}),
    ):
        answer = run(**arguments)
        assert answer["changed"] is bool(set(counts) - {"keep"})
        (told,) = answer["packages"]
        assert set(told) == {"name", "state", "changed", "failed", "release", "message", "counts", "objects"}
        assert {verb: number for verb, number in told["counts"].items() if number} == counts


def test_check_mode_writes_nothing_and_diff_shows_what_would_change(run: Runner, cluster: FakeCluster) -> None:
    run(name="p", source=inline(config_map("default", "a", k="1", same="x")))
    cluster.writes.clear()
    changed = inline(config_map("default", "a", k="2", same="x"))
    answer = run(name="p", source=changed, _ansible_check_mode=True, _ansible_diff=True)
    assert cluster.writes == []
    assert answer["message"] == "p: 1 would be updated"
    (shown,) = answer["diff"]
    assert (shown["before"], shown["after"]) == ("data:\n  k: '1'\n", "data:\n  k: '2'\n")
    assert "ConfigMap default/a" in shown["before_header"]


@pytest.mark.parametrize("verbosity", [0, 4])
def test_no_secret_leaves_the_module(run: Runner, cluster: FakeCluster, verbosity: int, tmp_path: Path) -> None:
    options = {"name": "p", "secrets": [{"name": "s", "values": {"password": PASSWORD}}], "wait": False}
    in_place = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t"}, "stringData": {"x": PASSWORD}}
    for arguments in (
        {**options, "_ansible_check_mode": True},
        options,
        {**options, "source": inline(in_place)},
        {**options, "source": inline({**in_place, "kind": "Secrit"})},
    ):
        answer = run(**arguments, _ansible_diff=True, _ansible_verbosity=verbosity)
        assert PASSWORD not in json.dumps(answer)
        assert "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5" not in json.dumps(answer)  # the same, encoded


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"packages": [{"name": "p", "sorce": {}}]}, "package p: there is no option 'sorce'; did you mean source"),
        ({"name": "p", "source": {"directory": "nowhere"}}, "There is no directory "),
        ({"packages": [], "only": ["x"]}, "no package is named 'x'; there is nothing at all"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_sent(
    run: Runner, cluster: FakeCluster, arguments: dict[str, Any], told: str
) -> None:
    answer = run(**arguments)
    assert answer["failed"] is True
    assert told in answer["msg"]
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("tab.yaml", "apiVersion: v1\n\tkind: Pod\n", "tab.yaml:2: a tab is used to indent"),
        ("kind.yaml", "apiVersion: v1\nmetadata: {name: a}\n", "kind.yaml:1: this object has no kind"),
        ("kustomization.yaml", "resources: []\n", "describes how to build what is there"),
        ("latin.yaml", "a: \xe9", "latin.yaml: byte 3 is not UTF-8 text"),
        ("readme.txt", "", "has no manifest in it"),
    ],
)
def test_a_bad_file_is_named(run: Runner, tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / name).write_bytes(content.encode("latin-1"))
    assert told in run(name="p", source={"directory": "it"})["msg"]


def test_progress_goes_to_a_file(run: Runner, tmp_path: Path) -> None:
    lines = tmp_path / "progress"
    run(name="p", source=inline(config_map("default", "a", k="1")), progress_file=str(lines))
    assert lines.read_text(encoding="utf-8") == "package p: 1 objects to write, 0 to delete\n"


def test_what_only_some_runs_need_is_not_loaded_by_all() -> None:
    """A module is sent as source, and compiling everything takes longer than a run that has nothing to do."""
    listing = f"import sys, {package.__name__}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout.split()
    utils = package.__name__.replace(".modules.package", ".module_utils.")
    for name in ("_kube.change.apply", "_kube.change.plan", "_kube.diff", "_kube.health.wait", "_kube.patch.strategic"):
        assert importlib.util.find_spec(utils + name) is not None
        assert utils + name not in loaded


def test_documentation_and_options_agree() -> None:
    assert_documented(package, {**CONNECTION, **spec.PACKAGE, **spec.RUN})


def test_every_key_of_a_package_is_an_option_of_the_module() -> None:
    reader = importlib.import_module("ansible_collections.hearth.cluster.plugins.module_utils._package.package").Package
    keys = {name for name in reader.__dataclass_fields__ if name != "depends_on"}
    assert keys == set(spec.PACKAGE)
