# SPDX-License-Identifier: GPL-3.0-or-later
"""Artifacts from a registry on loopback."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.archive import pack
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.oci import Registries, read_reference
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source

from tests.support.registry import Registry

TAR = "application/vnd.cncf.flux.content.v1.tar+gzip"
YAML = "application/yaml"


def manifest(name: str) -> bytes:
    return f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}\n".encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry().running() as it:
        yield it


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Downloads:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Downloads(tmp_path / "cache", Clock(lambda: 0.0, lambda _seconds: None), tmp_path / "hearth.lock.yml")


def names(downloads: Downloads, **source: object) -> list[str]:
    fetcher = Fetcher((downloads.folder,), ParsedFiles(downloads.folder), downloads)
    return [each.identity.name for each in fetcher.fetch(read_source(source, "source")).manifests]


def test_files_and_archives_are_read_and_kept_for_when_nobody_is_there(
    registry: Registry, downloads: Downloads
) -> None:
    packed = gzip.compress(pack([("deploy/b.yaml", manifest("b")), ("deploy/c.yaml", manifest("c"))]))
    digest = registry.push("me/shop", "v1", {"a.yaml": (YAML, manifest("a")), "": (TAR, packed)})
    address = f"oci://{registry.host}/me/shop"
    assert names(downloads, oci=address, version="v1") == ["a", "b", "c"]
    assert names(downloads, oci=f"{address}:v1", files="deploy/*.yaml") == ["b", "c"]
    assert names(downloads, oci=address, version=digest) == ["a", "b", "c"]
    assert downloads.lock_file is not None
    assert f"{address}:v1: {digest}\n" in downloads.lock_file.read_text()
    registry.stop()
    assert names(downloads, oci=address, version="v1") == ["a", "b", "c"]


def test_a_tag_that_was_moved_is_refused(registry: Registry, downloads: Downloads, tmp_path: Path) -> None:
    old = registry.push("shop", "v1", {"a.yaml": (YAML, manifest("a"))})
    names(downloads, oci=f"oci://{registry.host}/shop", version="v1")
    new = registry.push("shop", "v1", {"a.yaml": (YAML, manifest("changed"))})
    downloads.folder = tmp_path / "another machine"
    with pytest.raises(FetchError, match=f"{old}.*{new}"):
        names(downloads, oci=f"oci://{registry.host}/shop", version="v1")


def test_a_damaged_layer_is_refused_with_both_digests(registry: Registry, downloads: Downloads) -> None:
    registry.push("shop", "v1", {"a.yaml": (YAML, manifest("a"))})
    for digest in registry.blobs:
        registry.blobs[digest] = b"# something else"
    with pytest.raises(FetchError, match=r"is damaged: it must be sha256:\w+ and is sha256:\w+"):
        names(downloads, oci=f"oci://{registry.host}/shop", version="v1")


def test_a_login_of_docker_opens_a_private_registry(registry: Registry, downloads: Downloads, tmp_path: Path) -> None:
    registry.push("shop", "v1", {"a.yaml": (YAML, manifest("a"))})
    registry.login = "me:correct-horse"
    with pytest.raises(FetchError, match="may not be read without permission") as raised:
        names(downloads, oci=f"oci://{registry.host}/shop", version="v1")
    assert f"docker login {registry.host}" in str(raised.value)
    (tmp_path / "docker").mkdir()
    login = {"auths": {registry.host: {"auth": base64.b64encode(b"me:correct-horse").decode()}}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps(login))
    assert names(downloads, oci=f"oci://{registry.host}/shop", version="v1") == ["a"]


def test_a_file_that_points_outside_is_refused(registry: Registry, downloads: Downloads) -> None:
    registry.push("shop", "v1", {"../../a.yaml": (YAML, manifest("a"))})
    with pytest.raises(InputError, match="leads out of"):
        names(downloads, oci=f"oci://{registry.host}/shop", version="v1")


def test_an_artifact_that_is_not_there_is_named(registry: Registry, downloads: Downloads) -> None:
    with pytest.raises(FetchError, match=r"/v2/shop/manifests/v2 does not exist \(404\)"):
        names(downloads, oci=f"oci://{registry.host}/shop", version="v2")


def test_a_mirror_can_be_a_folder(registry: Registry, downloads: Downloads, tmp_path: Path) -> None:
    digest = registry.push("shop", "v1", {"a.yaml": (YAML, manifest("a"))})
    for path, raw in (
        ("manifests/v1", registry.manifests["shop", digest]),
        *((f"blobs/{digest}", raw) for digest, raw in registry.blobs.items()),
    ):
        (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / path).write_bytes(raw)
    downloads.mirrors = {"https://ghcr.io/v2/me/shop/": str(tmp_path / "mirror")}
    assert names(downloads, oci="oci://ghcr.io/me/shop", version="v1") == ["a"]


def test_what_is_no_chart_is_told(registry: Registry, downloads: Downloads) -> None:
    registry.push("shop", "v1", {"a.yaml": (YAML, manifest("a"))})
    with pytest.raises(FetchError, match="is no chart of Helm"):
        Registries(downloads).chart(f"oci://{registry.host}/shop:v1")


@pytest.mark.parametrize(
    ("address", "root", "version"),
    [
        ("oci://ghcr.io/a/b:1.2.3+x", "https://ghcr.io/v2/a/b", "1.2.3_x"),
        ("oci://localhost:5000/a:v1", "http://localhost:5000/v2/a", "v1"),
        ("oci://docker.io/o/a:v1", "https://registry-1.docker.io/v2/o/a", "v1"),
        (f"oci://ghcr.io/a:v1@sha256:{'0' * 64}", "https://ghcr.io/v2/a", f"sha256:{'0' * 64}"),
    ],
)
def test_addresses_are_read(address: str, root: str, version: str) -> None:
    reference = read_reference(address)
    assert (reference.root, reference.version) == (root, version)


@pytest.mark.parametrize("address", ["oci://ghcr.io/a", "oci://ghcr.io/A:v1", "oci://ghcr.io:v1", "ghcr.io/a:v1"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(InputError, match="no address of an artifact"):
        read_reference(address)
