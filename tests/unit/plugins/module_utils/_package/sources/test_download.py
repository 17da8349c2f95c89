# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from a server on loopback that behaves as badly as told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.lock import Lock, read_lock, write_lock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import Addresses, read_source

from tests.support.upstream import Upstream

MANIFEST = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream().running() as it:
        yield it


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Downloads:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Downloads(tmp_path / "cache", Clock(lambda: 0.0, lambda _seconds: None), tmp_path / "hearth.lock.yml")


def test_a_first_download_is_written_into_the_lock_and_the_second_needs_no_network(
    upstream: Upstream, downloads: Downloads
) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    address = f"{upstream.address}/a.yaml"
    assert downloads.get(address) == MANIFEST
    assert downloads.lock_file is not None
    assert f"  {address}: sha256:{hashlib.sha256(MANIFEST).hexdigest()}\n" in downloads.lock_file.read_text()
    upstream.files.clear()
    assert downloads.get(address) == MANIFEST
    assert upstream.asked == ["/a.yaml"]


def test_other_bytes_than_the_lock_knows_are_refused_with_both_digests(
    upstream: Upstream, downloads: Downloads, tmp_path: Path
) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    address = f"{upstream.address}/a.yaml"
    downloads.get(address)
    downloads.folder = tmp_path / "another machine"
    upstream.files["/a.yaml"] = MANIFEST + b"# changed\n"
    old, new = (hashlib.sha256(each).hexdigest() for each in (MANIFEST, MANIFEST + b"# changed\n"))
    with pytest.raises(FetchError, match=f"{old}.*{new}.*remove its line"):
        downloads.get(address)


def test_a_cache_that_was_tampered_with_is_not_used(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    address = f"{upstream.address}/a.yaml"
    downloads.get(address)
    (kept,) = (downloads.folder / "downloads").iterdir()
    kept.write_bytes(b"{}")
    assert downloads.get(address) == MANIFEST
    assert len(upstream.asked) == 2


def test_check_mode_leaves_the_lock_alone(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    downloads.may_write_lock = False
    downloads.get(f"{upstream.address}/a.yaml")
    assert downloads.lock_file is not None
    assert not downloads.lock_file.exists()


def test_what_passes_is_tried_again(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    upstream.failures += [503, 429]
    assert downloads.get(f"{upstream.address}/a.yaml") == MANIFEST
    assert len(upstream.asked) == 3


def test_what_does_not_exist_is_not_tried_again(upstream: Upstream, downloads: Downloads) -> None:
    with pytest.raises(FetchError, match=r"a\.yaml does not exist \(404\); correct the version"):
        downloads.get(f"{upstream.address}/a.yaml")
    assert len(upstream.asked) == 1


def test_a_download_that_is_cut_off_is_never_kept(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = MANIFEST
    upstream.cut = 5
    with pytest.raises(FetchError, match=r"tried 3 times"):
        downloads.get(f"{upstream.address}/a.yaml")
    assert downloads.lock_file is not None
    assert not downloads.lock_file.exists()
    assert not (downloads.folder / "downloads").exists()


def test_a_broken_download_goes_on_where_it_stopped(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = content = MANIFEST * 100
    upstream.hang_ups += [1000, 2500]
    assert downloads.get(f"{upstream.address}/a.yaml") == content
    assert upstream.ranges == ["", "bytes=1000-", "bytes=2500-"]


def test_a_file_that_changes_under_a_broken_download_is_read_anew(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = MANIFEST * 100
    upstream.hang_ups += [1000]

    def changes(_seconds: float) -> None:
        upstream.files["/a.yaml"] = b"# other\n" + MANIFEST * 90

    downloads.clock = Clock(lambda: 0.0, changes)
    assert downloads.get(f"{upstream.address}/a.yaml") == b"# other\n" + MANIFEST * 90
    assert upstream.ranges == ["", "bytes=1000-"]


def test_a_long_download_says_how_far_it_is(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = b"#" * (3 << 20)
    told: list[str] = []
    downloads.report = told.append
    seconds = iter(range(10_000))
    downloads.clock = Clock(lambda: float(next(seconds)), lambda _seconds: None)
    downloads.get(f"{upstream.address}/a.yaml")
    assert told[0] == f"downloading {upstream.address}/a.yaml"
    assert all(line.endswith(" of 3.0 MiB") for line in told[1:])
    assert len(told) > 3


def test_what_is_too_large_is_not_even_begun(upstream: Upstream, downloads: Downloads) -> None:
    upstream.files["/a.yaml"] = b"#"
    upstream.headers["Content-Length"] = str(200 << 20)
    with pytest.raises(FetchError, match="is larger than 64 MiB"):
        downloads.get(f"{upstream.address}/a.yaml")


def test_a_proxy_is_asked_where_there_is_one(
    upstream: Upstream, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.files["http://charts.example.org/a.yaml"] = MANIFEST
    monkeypatch.setenv("http_proxy", upstream.address)
    assert downloads.get("http://charts.example.org/a.yaml") == MANIFEST


def test_nobody_there_is_told(downloads: Downloads) -> None:
    with pytest.raises(FetchError, match=r"http://127\.0\.0\.1:9/a\.yaml cannot be downloaded, tried 3 times"):
        downloads.get("http://127.0.0.1:9/a.yaml")


def test_a_mirror_stands_in_and_the_lock_keeps_the_real_address(
    upstream: Upstream, downloads: Downloads, tmp_path: Path
) -> None:
    (tmp_path / "mirror" / "v1").mkdir(parents=True)
    (tmp_path / "mirror" / "v1" / "a.yaml").write_bytes(MANIFEST)
    upstream.files["/lan/b.yaml"] = MANIFEST
    downloads.mirrors = {
        "https://example.org/": str(tmp_path / "mirror"),
        "https://example.org/b/": f"{upstream.address}/lan/",
    }
    assert downloads.get("https://example.org/v1/a.yaml") == MANIFEST
    assert downloads.get("https://example.org/b/b.yaml") == MANIFEST
    assert downloads.lock_file is not None
    lock = read_lock(downloads.lock_file.read_text(), "lock")
    assert sorted(lock.digests) == ["https://example.org/b/b.yaml", "https://example.org/v1/a.yaml"]
    with pytest.raises(FetchError, match=r"The mirror of https://example.org/c\.yaml has no file"):
        downloads.get("https://example.org/c.yaml")


def test_the_lock_file_reads_back() -> None:
    lock = Lock({"https://b": "22", "https://a": "11"})
    assert read_lock(write_lock(lock), "lock") == lock
    assert write_lock(lock).index("https://a") < write_lock(lock).index("https://b")


@pytest.mark.parametrize("text", ["- a\n", "downloads: [a]\n", "downloads: {a: md5:1}\n"])
def test_a_broken_lock_file_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"hearth\.lock\.yml"):
        read_lock(text, "hearth.lock.yml")


@pytest.mark.parametrize(
    ("source", "addresses"),
    [
        (
            {"github": "metallb/metallb", "version": "v1", "files": ["config/a.yaml"]},
            ("https://raw.githubusercontent.com/metallb/metallb/v1/config/a.yaml",),
        ),
        (
            {"github": "o/r", "version": "v1.2+x", "assets": "r-{version}.yaml"},
            ("https://github.com/o/r/releases/download/v1.2%2Bx/r-v1.2+x.yaml",),
        ),
        ({"url": "https://e.org/{version}/a.yaml", "version": 2}, ("https://e.org/2/a.yaml",)),
        (
            {"github": "o/r", "version": "v1", "assets": "r.tar.gz", "files": "r/*.yaml"},
            ("https://github.com/o/r/releases/download/v1/r.tar.gz",),
        ),
    ],
)
def test_sources_become_addresses(source: dict[str, object], addresses: tuple[str, ...]) -> None:
    read = read_source(source, "source")
    assert isinstance(read, Addresses)
    assert read.addresses == addresses


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"github": "metallb", "version": "v1", "files": "a"}, "must be OWNER/NAME"),
        ({"github": "o/r", "files": "a"}, "version is missing"),
        ({"github": "o/r", "version": "v1"}, "files .* or assets .* is missing"),
        ({"github": "o/r", "version": "v1", "files": "a/*.yaml"}, "must be the plain path of one file"),
        ({"github": "o/r", "version": "v1", "files": "../x"}, "must be the plain path of one file"),
        ({"url": "https://e.org/{version}"}, "version is missing"),
        ({"url": "file:///etc/passwd"}, "does not begin with https://"),
    ],
)
def test_sources_that_cannot_be_meant_are_refused(source: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(source, "source")
