# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts, rendered by Helm's own engine, from a folder, a repository and a registry."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Catalogue
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_package
from ansible_collections.hearth.cluster.plugins.module_utils._package.render.helm import split_output
from ansible_collections.hearth.cluster.plugins.module_utils._package.render.situation import Situation
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.oci import CHART_LAYER
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source

from tests.support.charts import archive, index, lay_out, shop, simple
from tests.support.fake_cluster import BUILT_IN
from tests.support.registry import Registry
from tests.support.upstream import Upstream

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ .Values.x | quote }}}\n"


class World:
    """A package that is a chart, and what it may know of a cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        clock = Clock(lambda: 0.0, lambda _seconds: None)
        self.downloads = Downloads(folder / "cache", clock, folder / "hearth.lock.yml")
        self.version = "v1.36.3+k3s1"

    def manifests(self, source: dict[str, Any], *values: Any, namespace: str = "shop-ns") -> list[Manifest]:
        situation = Situation("p", namespace, values, lambda: self.version, lambda: Catalogue(BUILT_IN))
        fetcher = Fetcher((self.folder,), ParsedFiles(self.folder / "parsed"), self.downloads)
        return list(fetcher.fetch(read_source(source, "source"), situation).manifests)

    def local(self, files: dict[str, bytes], *values: Any, namespace: str = "shop-ns") -> dict[str, Manifest]:
        lay_out(files, self.folder / "charts" / "it")
        made = self.manifests({"directory": "charts", "chart": "it"}, *values, namespace=namespace)
        return {f"{each.kind} {each.identity.name}": each for each in made}


@pytest.fixture(params=["helm-python-sdk", *(["helm"] if shutil.which("helm") else [])])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same whichever engine there is."""
    if request.param == "helm":
        monkeypatch.setitem(sys.modules, "helm_python", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    return World(tmp_path)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as it:
        yield it


def data(manifest: Manifest) -> dict[str, str]:
    found: dict[str, str] = manifest.content["data"]
    return found


def test_a_chart_is_rendered_with_all_its_parts(world: World) -> None:
    made = world.local(shop())
    assert set(made) == {
        *("Secret shop", "ConfigMap settings", "ConfigMap cache", "Deployment p-web", "RoleBinding elsewhere"),
        "CustomResourceDefinition shops.example.org",
    }
    assert data(made["ConfigMap cache"]) == {"size": "1"}
    assert made["RoleBinding elsewhere"].identity.namespace == "kube-system"


def test_a_chart_learns_what_the_cluster_is_and_what_it_brings_itself(world: World) -> None:
    told = data(world.local(shop())["ConfigMap settings"])
    assert told.pop("kube").partition("+")[0] == "v1.36.3"  # some Helms leave out what it was built from
    assert told == {
        "monitored": "false",
        "own": "true",
        "release": "p in shop-ns",
        "installs": "true",
    }


def test_values_come_from_mappings_and_files_and_later_ones_win(world: World) -> None:
    (world.folder / "common.yaml").write_text("replicas: 3\nextra: {a: 1, b: 2}\ncache: {size: 5}\n")
    made = world.local(shop(), "common.yaml", {"extra": {"b": None, "c": 3}, "replicas": 2, "image": None})
    assert made["Deployment p-web"].content["spec"]["replicas"] == 2
    assert data(made["ConfigMap cache"]) == {"size": "5"}
    assert data(made["ConfigMap settings"])["extra"] == '{"a":1,"b":null,"c":3}'
    (container,) = made["Deployment p-web"].content["spec"]["template"]["spec"]["containers"]
    assert container["image"] == ""  # null takes away what the chart presets
    assert "ConfigMap cache" not in world.local(shop(), {"cache": {"enabled": False}})


def test_what_is_made_up_is_made_once_and_its_checksum_stays(world: World) -> None:
    first, second = world.local(shop()), world.local(shop())
    assert first["Secret shop"].create_only
    assert first["Secret shop"].digest != second["Secret shop"].digest
    assert first["Deployment p-web"].digest == second["Deployment p-web"].digest
    assert world.local(shop(), {"replicas": 2})["Deployment p-web"].digest != first["Deployment p-web"].digest
    assert [each.identity.name for each in first.values() if each.create_only] == ["shop"]


def test_a_password_that_is_given_is_an_ordinary_one(world: World) -> None:
    made = world.local(shop(), {"password": "correct-horse"})
    assert not made["Secret shop"].create_only
    assert made["Secret shop"].content["stringData"] == {"password": "correct-horse"}


def test_what_is_made_up_elsewhere_is_an_error_that_names_the_field(world: World) -> None:
    text = CONFIG_MAP.replace("{{ .Values.x | quote }}", "{{ randAlphaNum 9 }}")
    with pytest.raises(InputError, match=r"ConfigMap a gets another data\.x each time .* set it in values"):
        world.local(simple("it", {"a.yaml": text}))
    with pytest.raises(InputError, match=r"objects with other names each time .* ConfigMap a-"):
        world.local(simple("it", {"a.yaml": CONFIG_MAP.replace("{name: a}", "{name: 'a-{{ randAlpha 9 | lower }}'}")}))


def test_a_chart_that_writes_down_the_time_is_found_out(world: World) -> None:
    world.downloads.clock = Clock(time.monotonic, time.sleep)
    with pytest.raises(InputError, match=r"ConfigMap a gets another data\.x each time"):
        world.local(simple("it", {"a.yaml": CONFIG_MAP.replace(".Values.x", "now | unixEpoch")}))


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("a: b\n{{ .Values.x.y.z }}\n", r"it/templates/bad\.yaml:2:\d+:? .*nil pointer"),
        ('a: b\n\n{{ include "nope" . }}\n', r"it/templates/bad\.yaml:3:\d+:? .*no template \"nope\""),
        ("a: b\n{{ if }}\n", r"it/templates/bad\.yaml:2\).*missing value for if"),
        ('a: b\n{{ required "give x" .Values.x }}\n', r"it/templates/bad\.yaml:2:\d+\): give x"),
        ("a: b\n  c: [\n", r"it/templates/bad\.yaml( gives:\d+: this is not valid YAML|: .*yaml: line \d+)"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_file_and_line(world: World, template: str, told: str) -> None:
    with pytest.raises(InputError, match=f"chart it 1.0.0.*{told}"):
        world.local(simple("it", {"bad.yaml": template}))


def test_a_cluster_that_a_chart_is_not_made_for_is_told(world: World) -> None:
    world.version = "v1.24.1+k3s1"
    with pytest.raises(InputError, match=r"chart shop 1\.2\.3 wants Kubernetes >=1\.25\.0-0, and this .* v1\.24\.1"):
        world.local(shop())


def test_values_that_the_chart_forbids_are_told(world: World) -> None:
    files = simple("it", {"a.yaml": CONFIG_MAP})
    files["values.schema.json"] = b'{"type": "object", "properties": {"x": {"type": "string"}}}'
    with pytest.raises(InputError, match="x"):
        world.local(files, {"x": 1})


def test_a_chart_of_a_repository_is_pinned_and_needs_no_network_again(world: World, upstream: Upstream) -> None:
    raw = archive("shop", shop())
    upstream.files["/charts/index.yaml"] = index(("shop", "1.2.3", raw, "files/shop-1.2.3.tgz"))
    upstream.files["/charts/files/shop-1.2.3.tgz"] = raw
    source = {"helm": f"{upstream.address}/charts/", "chart": "shop", "version": "1.2.3"}
    before = [each.identity for each in world.manifests(source)]
    assert f"helm+{upstream.address}/charts/shop@1.2.3: sha256:" in (world.folder / "hearth.lock.yml").read_text()
    upstream.stop()
    assert [each.identity for each in world.manifests(source)] == before


def test_a_chart_that_changed_upstream_is_refused(world: World, upstream: Upstream) -> None:
    for text in ("a: 1", "a: 2"):
        raw = archive("it", simple("it", {"a.yaml": CONFIG_MAP, "b.yaml": f"# {text}"}))
        upstream.files |= {"/index.yaml": index(("it", "1.0.0", raw, "it.tgz")), "/it.tgz": raw}
        if text == "a: 1":
            world.manifests({"helm": upstream.address, "chart": "it", "version": "1.0.0"})
    world.downloads.folder = world.folder / "another machine"
    with pytest.raises(FetchError, match=r"the lock file .* says sha256:\w+, now it is sha256:\w+"):
        world.manifests({"helm": upstream.address, "chart": "it", "version": "1.0.0"})


def test_a_chart_that_is_not_what_its_index_says_is_refused(world: World, upstream: Upstream) -> None:
    raw = archive("it", simple("it", {"a.yaml": CONFIG_MAP}))
    upstream.files |= {"/index.yaml": index(("it", "1.0.0", raw, "it.tgz")), "/it.tgz": raw + b"\0"}
    with pytest.raises(FetchError, match=r"its index says sha256:\w+, the file is sha256:\w+"):
        world.manifests({"helm": upstream.address, "chart": "it", "version": "1.0.0"})


@pytest.mark.parametrize(
    ("wanted", "taken"), [("1.0.0", "1.0.0"), ("v1.1.0", "1.1.0"), ("~1.0", "1.0.1"), ("*", "1.1.0")]
)
def test_versions_are_names_or_ranges(world: World, upstream: Upstream, wanted: str, taken: str) -> None:
    charts = []
    for version in ("1.1.0", "1.0.1", "1.0.0", "2.0.0-rc.1"):
        text = CONFIG_MAP.replace("{x: {{ .Values.x | quote }}}", "{v: {{ .Chart.Version | quote }}}")
        raw = archive("it", simple("it", {"a.yaml": text}, version=version))
        charts.append(("it", version, raw, f"it-{version}.tgz"))
        upstream.files[f"/it-{version}.tgz"] = raw
    upstream.files["/index.yaml"] = index(*charts)
    (made,) = world.manifests({"helm": upstream.address, "chart": "it", "version": wanted})
    assert data(made) == {"v": taken}


def test_a_chart_and_a_version_that_are_not_there_are_named(world: World, upstream: Upstream) -> None:
    raw = archive("it", simple("it", {"a.yaml": CONFIG_MAP}))
    upstream.files |= {"/index.yaml": index(("fluent-bit", "1.0.0", raw, "it.tgz"))}
    with pytest.raises(InputError, match="has no chart 'fluentbit'; did you mean fluent-bit"):
        world.manifests({"helm": upstream.address, "chart": "fluentbit", "version": "1.0.0"})
    with pytest.raises(InputError, match=r"has no version '1\.0\.1' of chart fluent-bit; did you mean 1\.0\.0"):
        world.manifests({"helm": upstream.address, "chart": "fluent-bit", "version": "1.0.1"})
    with pytest.raises(FetchError, match=r"/nowhere/index\.yaml does not exist"):
        world.manifests({"helm": f"{upstream.address}/nowhere", "chart": "it", "version": "1"})


def test_a_chart_of_a_registry_is_pinned_and_needs_no_network_again(world: World) -> None:
    with Registry().running() as registry:
        registry.push("charts/it", "1.0.0_x", {"": (CHART_LAYER, archive("it", simple("it", {"a.yaml": CONFIG_MAP})))})
        sources = [
            {"helm": f"oci://{registry.host}/charts/it", "version": "1.0.0+x"},
            {"helm": f"oci://{registry.host}/charts", "chart": "it", "version": "1.0.0+x"},
        ]
        assert [each.identity.name for source in sources for each in world.manifests(source)] == ["a", "a"]
        registry.stop()
        assert [each.identity.name for source in sources for each in world.manifests(source)] == ["a", "a"]


def test_what_a_chart_on_the_controller_needs_is_fetched(world: World, upstream: Upstream) -> None:
    raw = archive("lib", simple("lib", {"a.yaml": CONFIG_MAP}))
    upstream.files |= {"/index.yaml": index(("lib", "1.0.7", raw, "lib.tgz")), "/lib.tgz": raw}
    about = f"dependencies: [{{name: lib, version: ~1.0, repository: '{upstream.address}'}}]\n"
    assert set(world.local(simple("it", {}, about=about), {"lib": {"x": "1"}})) == {"ConfigMap a"}
    nowhere = "dependencies: [{name: other, version: 1.0.0, repository: 'file://../other'}]\n"
    with pytest.raises(InputError, match=r"needs the chart other.*helm dependency build"):
        world.local(simple("it", {}, about=nowhere))


def test_a_chart_with_a_longer_name_is_not_the_one_that_is_needed(world: World) -> None:
    about = "dependencies: [{name: lib, version: 1.0.0, repository: 'file://../lib'}]\n"
    other = {"charts/lib-extra-1.0.0.tgz": archive("lib-extra", simple("lib-extra", {}))}
    with pytest.raises(InputError, match="needs the chart lib, which"):
        world.local({**simple("it", {}, about=about), **other})
    packed = {"charts/lib-1.0.0.tgz": archive("lib", simple("lib", {"a.yaml": CONFIG_MAP}))}
    assert set(world.local({**simple("it", {}, about=about), **packed})) == {"ConfigMap a"}


def test_a_chart_cannot_name_itself_out_of_its_folder(world: World) -> None:
    with pytest.raises(InputError, match="no name of a chart"):
        world.local(simple("../../it", {"a.yaml": CONFIG_MAP}))


def test_without_an_engine_the_command_that_installs_it_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "helm_python", None)
    monkeypatch.setenv("PATH", str(world.folder))
    with pytest.raises(InputError, match=rf"{sys.executable} -m pip install helm-python-sdk"):
        world.local(shop())


def test_what_the_program_prints_is_told_apart_by_template() -> None:
    text = "".join(
        f"---\n# Source: {path}\n{content}: 1\n"
        for path, content in (("it/crds/x.yaml", "a"), ("it/templates/y.yaml", "b"), ("it/templates/y.yaml", "c"))
    )
    outputs = split_output(text)
    assert list(outputs) == ["it/crds/x.yaml", "it/templates/y.yaml"]
    assert outputs["it/templates/y.yaml"].count("---") == 2


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"helm": "https://e.org", "version": "1"}, "chart is missing"),
        ({"helm": "https://e.org", "chart": "it"}, "version is missing"),
        ({"helm": "charts/it", "chart": "it", "version": "1"}, "directory: FOLDER, chart"),
        ({"directory": "charts", "chart": ["a", "b"]}, "chart is a list, must be one path"),
        ({"directory": "charts", "chart": ".", "files": ["a"]}, "files and chart are given"),
    ],
)
def test_sources_that_cannot_be_meant_are_refused(source: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(source, "source")


def test_values_without_a_template_are_refused() -> None:
    entry = {"name": "p", "source": {"directory": "x"}, "values": {"a": 1}}
    with pytest.raises(InputError, match="values are for templates"):
        read_package(entry, "packages[0]")
    with pytest.raises(InputError, match=r"values\[1\] must be a mapping of values, or a file"):
        read_package({**entry, "source": {"directory": "x", "chart": "."}, "values": ["a.yaml", 1]}, "packages[0]")
    assert read_package({"name": "p", "state": "absent", "values": {"a": 1}}, "packages[0]").values


def test_files_of_values_that_are_none_are_named(world: World) -> None:
    files = simple("it", {"a.yaml": CONFIG_MAP})
    with pytest.raises(FetchError, match=r"There is no file .*nowhere\.yaml"):
        world.local(files, "nowhere.yaml")
    (world.folder / "list.yaml").write_text("- a\n")
    with pytest.raises(InputError, match=r"list\.yaml: a file of values holds one mapping"):
        world.local(files, "list.yaml")


def test_what_is_kept_between_runs_holds_nothing_that_was_given(world: World) -> None:
    padding = "# " + "x" * 2000 + "\n"
    templates = {
        "public.yaml": padding + CONFIG_MAP.replace("{{ .Values.x | quote }}", "{{ .Chart.Name }}"),
        "plain.yaml": padding + CONFIG_MAP.replace("name: a", "name: b"),
        "encoded.yaml": padding + CONFIG_MAP.replace("name: a", "name: c").replace("| quote", "| b64enc"),
        "inside.yaml": padding
        + CONFIG_MAP.replace("name: a", "name: d").replace(".Values.x | quote", '(printf "y%sz" .Values.x) | b64enc'),
    }
    for _run in range(2):
        assert len(world.local(simple("it", templates), {"x": "correct-horse-battery"})) == 4
    kept = [path.read_text() for path in world.folder.glob("parsed/**/*.json")]
    assert ['"name":"a"' in each for each in kept] == [True]
