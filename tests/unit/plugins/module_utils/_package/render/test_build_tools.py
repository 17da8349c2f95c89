# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are built after the fetch: by kustomize, by jsonnet, by ytt."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package
from ansible_collections.hearth.cluster.plugins.module_utils._package.render import programs
from ansible_collections.hearth.cluster.plugins.module_utils._package.render.situation import Situation
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources import tree
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.archive import pack
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source, version_of

from tests.support.charts import lay_out
from tests.unit.fixtures import FOLDER

needs_kustomize = pytest.mark.skipif(
    not (shutil.which("kustomize") or shutil.which("kubectl")), reason="neither kustomize nor kubectl is installed"
)
needs_ytt = pytest.mark.skipif(shutil.which("ytt") is None, reason="the program ytt is not installed")

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
KUSTOMIZED = {
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "base/a.yaml": MAP,
    "overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: x-\n",
}


class World:
    """A folder of files that are built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clock = Clock(lambda: 0.0, lambda _seconds: None)
        self.downloads = Downloads(folder / "cache", clock, mirrors={"https://e.org/": str(folder)})

    def build(self, files: dict[str, str], *values: Any, **tool: Any) -> list[Manifest]:
        lay_out({path: text.encode() for path, text in files.items()}, self.folder / "it")
        return self.fetch({"directory": "it", **tool}, *values)

    def fetch(self, source: dict[str, Any], *values: Any) -> list[Manifest]:
        fetcher = Fetcher((self.folder,), ParsedFiles(self.folder / "kept"), self.downloads)
        return list(fetcher.fetch(read_source(source, "source"), Situation("p", values=values)).manifests)

    def names(self, files: dict[str, str], *values: Any, **tool: Any) -> list[str]:
        return [each.identity.name for each in self.build(files, *values, **tool)]

    def kept(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("kept/**/*.json"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@needs_kustomize
def test_a_kustomization_is_built_with_what_lies_beside_it(world: World) -> None:
    assert world.names(KUSTOMIZED, kustomize="overlay") == ["x-a"]


@needs_kustomize
@pytest.mark.skipif(not (FOLDER / "packages" / "metallb").is_dir(), reason="no packages in ../shared/fixtures")
def test_what_an_upstream_builds_itself_is_what_is_built(world: World) -> None:
    tree = str(FOLDER / "packages" / "metallb" / "v0.16.1")
    built = world.fetch({"directory": tree, "kustomize": "config/native"})
    released = world.fetch({"directory": tree, "files": ["config/manifests/metallb-native.yaml"]})
    assert {each.identity: each.digest for each in built} == {each.identity: each.digest for each in released}


@needs_kustomize
def test_what_was_built_is_not_built_again_until_a_file_changes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.names(KUSTOMIZED, kustomize="overlay")
    with monkeypatch.context() as without:
        without.setattr(programs, "run_program", lambda *_words, **_options: pytest.fail("a program was started"))
        assert world.names(KUSTOMIZED, kustomize="overlay") == ["x-a"]
    assert world.names({**KUSTOMIZED, "base/a.yaml": MAP.replace("a}", "b}")}, kustomize="overlay") == ["x-b"]


@needs_kustomize
def test_a_secret_that_was_built_is_not_kept(world: World) -> None:
    files = {"kustomization.yaml": "secretGenerator: [{name: s, literals: [password=correct-horse]}]\n"}
    (secret,) = world.build(files, kustomize=".")
    assert secret.kind == "Secret"
    assert world.kept() == ""


@needs_kustomize
def test_a_kustomization_inside_of_an_archive_is_built(world: World) -> None:
    files = [(f"r-1/{path}", text.encode()) for path, text in KUSTOMIZED.items()]
    (world.folder / "r-1.tar").write_bytes(pack(files))
    (made,) = world.fetch({"url": "https://e.org/r-{version}.tar", "version": 1, "kustomize": "r-1/overlay"})
    assert made.identity.name == "x-a"


@needs_kustomize
def test_what_kustomize_says_is_told(world: World) -> None:
    with pytest.raises(InputError, match=r"cannot be built: .*nowhere\.yaml"):
        world.build({"kustomization.yaml": "resources: [nowhere.yaml]\n"}, kustomize=".")


def test_a_folder_that_holds_too_much_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_FILES", 2)
    with pytest.raises(FetchError, match="/it holds more than"):
        world.build(KUSTOMIZED, kustomize="overlay")


@pytest.mark.parametrize(
    "entry", ["https://e.org/a.yaml", "github.com/o/r/config?ref=v1", "git@github.com:o/r", "git::https://e.org/r"]
)
def test_a_kustomization_that_fetches_by_itself_is_refused(world: World, entry: str) -> None:
    with pytest.raises(InputError, match=r"the kustomization in 'base' takes .* could not be pinned"):
        world.build({**KUSTOMIZED, "base/kustomization.yaml": f"resources: ['{entry}']\n"}, kustomize="overlay")


def test_a_folder_without_a_kustomization_is_named(world: World) -> None:
    with pytest.raises(InputError, match=r"has no kustomization\.yaml in 'elsewhere'"):
        world.build(KUSTOMIZED, kustomize="elsewhere")
    with pytest.raises(InputError, match="leads out of"):
        world.build(KUSTOMIZED, kustomize="../it")


@pytest.mark.parametrize(
    ("tool", "told"),
    [({"kustomize": "overlay"}, "kustomize or kubectl.*apt install"), ({"ytt": "base"}, "ytt.*brew install ytt")],
)
def test_a_program_that_is_missing_is_named_with_how_to_get_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tool: dict[str, str], told: str
) -> None:
    monkeypatch.setenv("PATH", str(world.folder))
    with pytest.raises(InputError, match=told):
        world.build(KUSTOMIZED, **tool)


JSONNET = {
    "main.jsonnet": (
        "local lib = import 'lib/make.libsonnet';\n"
        "{ 'setup/a': lib.map('a'), rest: [lib.map('b'), { c: lib.map('c') }], nothing: null }\n"
    ),
    "lib/make.libsonnet": "(import 'names.libsonnet') + (import 'k8s/map.libsonnet')",
    "lib/names.libsonnet": "{ prefix: 'x-' }",
    "vendor/k8s/map.libsonnet": (
        "{ map(name):: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: $.prefix + name } } }"
    ),
}


class TestJsonnet:
    pytest.importorskip("rjsonnet", reason="rjsonnet is not installed")

    def test_objects_are_found_at_any_depth_with_libraries_beside_and_vendored(self, world: World) -> None:
        assert sorted(world.names(JSONNET, jsonnet="main.jsonnet")) == ["x-a", "x-b", "x-c"]

    def test_values_are_external_variables_and_nothing_of_them_is_kept(self, world: World) -> None:
        text = "{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: std.extVar('data') }"
        (made,) = world.build({"a.jsonnet": text}, {"data": {"x": "correct-horse"}}, jsonnet="a.jsonnet")
        assert made.content["data"] == {"x": "correct-horse"}
        assert "correct-horse" not in world.kept()

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{\n  a: }", r"syntax error.*a\.jsonnet:2"),
            ("{\n  a: error 'too bad' }", r"too bad a\.jsonnet:2"),
            ("import 'nowhere.libsonnet'", r"no file 'nowhere\.libsonnet' to import"),
            ("import '../../../../etc/passwd'", "no file '../../../../etc/passwd' to import"),
            ("[1]", "a Kubernetes object is a mapping"),
        ],
    )
    def test_mistakes_are_told_with_file_and_line(self, world: World, text: str, told: str) -> None:
        with pytest.raises(InputError, match=told):
            world.build({"a.jsonnet": text}, jsonnet="a.jsonnet")

    def test_a_file_and_a_library_that_are_missing_are_named(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(InputError, match=r"has no file 'b\.jsonnet'"):
            world.build({"a.jsonnet": "[]"}, jsonnet="b.jsonnet")
        monkeypatch.setitem(sys.modules, "rjsonnet", None)
        with pytest.raises(InputError, match="pip install rjsonnet"):
            world.build({"a.jsonnet": "{}"}, jsonnet="a.jsonnet")


YTT = {
    "config/a.yaml": '#@ load("@ytt:data", "data")\n' + MAP + "data: {x: #@ data.values.x\n}\n",
    "config/values.yaml": "#@data/values\n---\nx: preset\n",
    "more/b.yaml": MAP.replace("a}", "b}"),
}


@needs_ytt
def test_ytt_takes_paths_and_values(world: World) -> None:
    made = world.build(YTT, ytt=["config", "more"])
    assert [(each.identity.name, each.content.get("data")) for each in made] == [("a", {"x": "preset"}), ("b", None)]
    (made_with, _b) = world.build(YTT, {"x": "given"}, ytt=["config", "more"])
    assert made_with.content["data"] == {"x": "given"}
    assert "given" not in world.kept()


@needs_ytt
def test_what_ytt_says_is_told(world: World) -> None:
    with pytest.raises(InputError, match=r"cannot be built: .*undefined: nothing a\.yaml:1"):
        world.build({"config/a.yaml": "a: #@ nothing\n"}, ytt="config")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"directory": "x", "kustomize": ".", "ytt": "."}, "kustomize and ytt are given"),
        ({"directory": "x", "kustomize": ".", "files": ["a"]}, "files and kustomize are given"),
        ({"inline": "a: 1", "kustomize": "."}, "no option 'kustomize'"),
    ],
)
def test_sources_that_cannot_be_meant_are_refused(source: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(source, "source")


def test_kustomize_has_no_values_and_a_build_has_the_version_of_its_source() -> None:
    entry = {"name": "p", "source": {"directory": "x", "kustomize": "."}, "values": {"a": 1}}
    with pytest.raises(InputError, match="values are for templates"):
        read_package(entry, "packages[0]")
    assert version_of(read_source({"git": "https://e.org/r", "version": "v1", "kustomize": "."}, "source")) == "v1"
