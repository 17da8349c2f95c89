# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources import fetch
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source

SOURCE = read_source({"directory": "it"}, "source")


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    (tmp_path / "it").mkdir()
    clock = Clock(lambda: 0.0, lambda _seconds: None)
    return Fetcher((tmp_path,), ParsedFiles(tmp_path / "cache"), Downloads(tmp_path / "cache", clock))


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{text: {'x' * 2000}}}\n"


def test_a_second_run_parses_nothing(fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / "it" / f"{name}.yaml").write_text(config_map(name))
    first = fetcher.fetch(SOURCE)
    assert [manifest.identity.name for manifest in first.manifests] == ["a", "b"]
    monkeypatch.setattr(fetch, "read_documents", lambda _text, origin: pytest.fail(f"{origin} was parsed again"))
    assert fetcher.fetch(SOURCE) == first


def test_a_file_that_is_far_too_large_is_refused_before_it_is_in_memory(fetcher: Fetcher, tmp_path: Path) -> None:
    with (tmp_path / "it" / "a.yaml").open("wb") as file:
        os.truncate(file.fileno(), 200 << 20)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"it/a\.yaml: 200 MiB of YAML are more than the 64 MiB allowed"):
        fetcher.fetch(SOURCE)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("kind: ConfigMap\nmetadata: {name: a}\n", r"it/a\.yaml:1: this ConfigMap has no apiVersion"),
        ("\n\napiVersion: v1\nmetadata: {name: a}\n", r"it/a\.yaml:3: this object has no kind"),
        ("apiVersion: v1\nkind: 5\nmetadata: {name: a}\n", r"it/a\.yaml:1: this object has no kind"),
        ("apiVersion: v1\nkind: A\nkind: B\n", r"it/a\.yaml:3: the key 'kind' is written twice"),
        (config_map("a") + "---\n- b\n", r"it/a\.yaml:6: a Kubernetes object is a mapping, this document is a list"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(fetcher: Fetcher, tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "it" / "a.yaml").write_text(content)
    with pytest.raises(InputError, match=told):
        fetcher.fetch(SOURCE)
