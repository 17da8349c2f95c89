# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives: what is in them is read, what is meant to do harm is refused."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources import archive, tree
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.archive import pack, unpack
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.tree import select

FILES = {"r/deploy/a.yaml": b"a", "r/deploy/sub/b.yml": b"b", "r/README.md": b"#", "r/.ci/c.yaml": b"c"}


def tar(*members: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    "wrap", [bytes, gzip.compress, lzma.compress, lambda _raw: zipped(FILES)], ids=["tar", "gz", "xz", "zip"]
)
def test_every_kind_of_archive_is_read(wrap: Callable[[bytes], bytes]) -> None:
    assert unpack(wrap(pack(FILES.items())), "a") == FILES


def test_a_packed_tree_is_the_same_bytes_in_any_order() -> None:
    assert pack(FILES.items()) == pack(reversed(FILES.items()))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..", "C:\\x", "a\\..\\..\\x"])
@pytest.mark.parametrize("make", [lambda name: tar(member(name)), lambda name: zipped({name: b""})])
def test_a_member_that_points_outside_is_refused(name: str, make: Callable[[str], bytes]) -> None:
    with pytest.raises(FetchError, match="points outside of it"):
        unpack(make(name), "a.tar.gz")


@pytest.mark.parametrize("target", ["../../x", "/etc/passwd"])
def test_a_link_that_points_outside_is_refused(target: str) -> None:
    with pytest.raises(FetchError, match="points outside of it"):
        unpack(tar(member("a/b", tarfile.SYMTYPE, target)), "a.tar.gz")


def test_links_are_what_they_point_to_and_circles_are_nothing() -> None:
    raw = tar(
        member("real/a.yaml", size=3),
        member("one", tarfile.SYMTYPE, "real"),
        member("two.yaml", tarfile.LNKTYPE, "real/a.yaml"),
        member("deep/three.yaml", tarfile.SYMTYPE, "../two.yaml"),
        member("x", tarfile.SYMTYPE, "y"),
        member("y", tarfile.SYMTYPE, "x"),
        member("real/up", tarfile.SYMTYPE, ".."),
    )
    assert set(unpack(raw, "a")) == {"real/a.yaml", "one/a.yaml", "two.yaml", "deep/three.yaml"}


def test_devices_are_refused() -> None:
    with pytest.raises(FetchError, match="is a device or a pipe"):
        unpack(tar(member("null", tarfile.CHRTYPE)), "a")


@pytest.mark.parametrize("make", [lambda: tar(member("a", size=3000)), lambda: zipped({"a": bytes(3000)})])
def test_a_bomb_is_refused_before_it_is_unpacked(make: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LARGEST", 2000)
    with pytest.raises(FetchError, match="holds more than"):
        unpack(make(), "bomb")


def test_a_bomb_in_a_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LARGEST", 1 << 20)
    monkeypatch.setattr(archive, "LARGEST", 1 << 20)
    raw = tar(member("a", b"x", size=8 << 20))  # an extended header of so many zeros, which would be read as a whole
    with pytest.raises(FetchError, match="holds more than"):
        unpack(raw, "bomb")


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says() -> None:
    raw = bytearray(zipped({"a": bytes(1 << 20)}))
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    with pytest.raises(FetchError, match="is damaged") as raised:
        unpack(bytes(raw), "a.zip")
    assert "a.zip" in str(raised.value)


def test_half_an_archive_is_damaged() -> None:
    raw = tar(member("a", size=100_000), mode="w:xz")
    with pytest.raises(FetchError, match="is damaged"):
        unpack(raw[: len(raw) // 2], "a.tar.xz")
    with pytest.raises(FetchError, match="is no tar or zip archive"):
        unpack(b"<html>not found</html>", "a.tar.xz")


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ((), ["r/deploy/a.yaml", "r/deploy/sub/b.yml"]),
        (("r/deploy/*.yaml",), ["r/deploy/a.yaml"]),
        (("r/deploy/**/*.y*ml",), ["r/deploy/a.yaml", "r/deploy/sub/b.yml"]),
        (("r/deploy/sub/b.yml", "r/*/[!b].yaml"), ["r/deploy/sub/b.yml", "r/.ci/c.yaml", "r/deploy/a.yaml"]),
    ],
)
def test_files_are_chosen_by_patterns(patterns: tuple[str, ...], chosen: list[str]) -> None:
    assert select(FILES, patterns, "a") == chosen


def test_a_pattern_that_meets_nothing_is_told_with_what_is_near() -> None:
    with pytest.raises(InputError, match=r"no file in a matches 'r/deploy/aa.yaml'; did you mean r/deploy/a.yaml"):
        select(FILES, ("r/deploy/aa.yaml",), "a")
    with pytest.raises(InputError, match="leads out of"):
        select(FILES, ("../a",), "a")


def test_a_package_takes_its_files_from_an_archive(tmp_path: Path) -> None:
    content = b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"
    (tmp_path / "mirror").mkdir()
    raw = gzip.compress(pack([("r-1/a.yaml", content), ("r-1/test/a.yaml", b"- [no manifest")]))
    (tmp_path / "mirror" / "r-1.tgz").write_bytes(raw)
    downloads = Downloads(
        tmp_path, Clock(lambda: 0.0, lambda _: None), mirrors={"https://e.org/": f"{tmp_path}/mirror"}
    )
    fetcher = Fetcher((tmp_path,), ParsedFiles(tmp_path), downloads)
    source = {"url": "https://e.org/r-{version}.tgz", "version": 1, "files": "r-{version}/*.yaml"}
    (manifest,) = fetcher.fetch(read_source(source, "source")).manifests
    assert str(manifest) == "ConfigMap a (https://e.org/r-1.tgz: r-1/a.yaml:1)"
