# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup against a server on the loopback address that serves a release as it is laid out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.hearth.cluster.plugins.lookup.k3s_release import LookupModule

VERSION = "v1.36.3+k3s1"
BINARY = b"the binary of a 64-bit Raspberry Pi"
IMAGES = b"the images that k3s itself needs"
DIGEST = hashlib.sha256(BINARY).hexdigest()


class Release:
    """A directory of releases, the server's address, and what was asked of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests: list[str] = []
        self.url = ""
        self.refused: set[str] = set()

    def write(self, binary: bytes = BINARY, digest: str = DIGEST) -> None:
        place = self.directory / VERSION
        place.mkdir(exist_ok=True)
        (place / "k3s-arm64").write_bytes(binary)
        (place / "k3s-airgap-images-arm64.tar.zst").write_bytes(IMAGES)
        listed = {"k3s-airgap-images-arm64.tar.zst": hashlib.sha256(IMAGES).hexdigest(), "k3s-arm64": digest}
        (place / "sha256sum-arm64.txt").write_text("".join(f"{each}  {name}\n" for name, each in listed.items()))


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    served = Release(tmp_path / "served")
    served.directory.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            served.requests.append(self.path)

        def do_GET(self) -> None:
            if self.path.rpartition("/")[2] in served.refused:
                self.send_error(403)
            else:
                super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(served.directory)))
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def look_up(release: Release, tmp_path: Path) -> Any:
    def look_up(version: Any = VERSION, **options: Any) -> Any:
        usual = {"url": release.url, "cache": str(tmp_path / "cache"), "architecture": "aarch64"}
        plugin = LookupModule()
        # As Ansible's own loader leaves them behind: the defaults of the documentation, and what the caller gave.
        plugin._options = {"want": "path", "file": "", **usual, **options}
        plugin.set_options = lambda **_ignored: None
        (found,) = plugin.run([version])
        return found

    return look_up


def test_the_binary_is_downloaded_once_and_verified(look_up: Any, release: Release) -> None:
    release.write()
    path = Path(look_up())
    assert path.read_bytes() == BINARY
    asked = len(release.requests)
    assert look_up() == str(path)
    assert look_up(want="sha256") == DIGEST
    assert len(release.requests) == asked


def test_the_checksum_alone_needs_no_binary(look_up: Any, release: Release) -> None:
    release.write()
    assert look_up(want="sha256") == DIGEST
    assert [path for path in release.requests if path.endswith("k3s-arm64")] == []


def test_the_images_come_verified_from_the_same_release_also_beside_a_binary_of_the_operator(
    look_up: Any, release: Release, tmp_path: Path
) -> None:
    release.write()
    (tmp_path / "k3s").write_bytes(BINARY)
    path = Path(look_up(want="images", file=str(tmp_path / "k3s")))
    assert path.read_bytes() == IMAGES
    path.write_bytes(b"damaged")
    assert Path(look_up(want="images")).read_bytes() == IMAGES


def test_a_damaged_download_is_refused_and_leaves_nothing(look_up: Any, release: Release, tmp_path: Path) -> None:
    release.write(binary=b"something else")
    with pytest.raises(AnsibleLookupError, match=f"does not have the SHA-256 {DIGEST}"):
        look_up()
    assert [path for path in (tmp_path / "cache").rglob("*k3s-arm64*") if path.is_file()] == []


def test_what_a_killed_run_had_downloaded_goes_with_the_next(
    look_up: Any, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release.write()
    look_up(want="sha256")
    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", lambda *_path, **_options: None)
        killed.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            look_up()
    kept = Path(look_up())
    assert sorted(path for path in (tmp_path / "cache").rglob("*k3s-arm64*") if path.is_file()) == [kept]


def interrupt(*_paths: Path) -> None:
    raise KeyboardInterrupt


def test_a_binary_that_was_damaged_in_the_cache_is_fetched_again(look_up: Any, release: Release) -> None:
    release.write()
    path = Path(look_up())
    path.write_bytes(b"damaged")
    assert Path(look_up()).read_bytes() == BINARY


def test_an_unknown_version_is_one_clear_message(look_up: Any, release: Release) -> None:
    with pytest.raises(
        AnsibleLookupError, match=r"k3s version v9\.99\.9\+k3s1 is not among the releases at http://127"
    ):
        look_up("v9.99.9+k3s1")


def test_a_version_is_known_by_the_release_for_any_machine(look_up: Any, release: Release) -> None:
    release.write()
    assert look_up(want="exists", architecture="no matter which") is True
    release.requests.clear()
    assert look_up(want="exists") is True
    assert release.requests == [], "what has been found once needs no network"
    with pytest.raises(AnsibleLookupError, match="not among the releases"):
        look_up("v9.99.9+k3s1", want="exists")


def test_a_mirror_may_refuse_in_any_way_what_it_does_not_have(look_up: Any, release: Release) -> None:
    release.write()
    assert look_up(want="exists", url=release.directory.as_uri()) is True
    release.refused = {"sha256sum-amd64.txt", "sha256sum-arm.txt"}
    assert look_up(want="exists") is True
    with pytest.raises(AnsibleLookupError, match="not among the releases"):
        look_up("v9.99.9+k3s1", want="exists")


def test_a_version_that_nobody_could_be_asked_about_is_not_called_unknown(look_up: Any) -> None:
    with pytest.raises(AnsibleLookupError, match=r"sha256sum-amd64\.txt could not be fetched"):
        look_up(want="exists", url="http://127.0.0.1:9")


def test_a_version_is_not_asked_for_where_the_operator_gives_a_binary(
    look_up: Any, release: Release, tmp_path: Path
) -> None:
    with pytest.raises(AnsibleLookupError, match="k3s_binary names"):
        look_up("mine", want="exists", file=str(tmp_path / "k3s"))
    (tmp_path / "k3s").write_bytes(BINARY)
    assert look_up("mine", want="exists", file=str(tmp_path / "k3s")) is True
    assert release.requests == []


@pytest.mark.parametrize("version", ["newest", 1.36])
def test_what_is_no_version_is_refused_without_asking(look_up: Any, release: Release, version: Any) -> None:
    for want in ("path", "exists"):
        with pytest.raises(AnsibleLookupError, match=f"k3s_version is '{version}', which is not the name"):
            look_up(version, want=want)
    assert release.requests == []


def test_releases_of_two_servers_are_never_mixed_up(look_up: Any, release: Release) -> None:
    release.write()
    one = look_up()
    assert look_up(url=f"{release.url}/") != one


def test_a_server_that_is_not_there_is_named(look_up: Any) -> None:
    with pytest.raises(AnsibleLookupError, match=r"http://127\.0\.0\.1:9/.*could not be fetched.*k3s_release_url"):
        look_up(url="http://127.0.0.1:9")


def test_a_file_of_the_operator_needs_no_server(look_up: Any, release: Release, tmp_path: Path) -> None:
    (tmp_path / "k3s").write_bytes(BINARY)
    given = {"file": str(tmp_path / "k3s")}
    assert look_up(**given) == str(tmp_path / "k3s")
    assert look_up(want="sha256", **given) == DIGEST
    assert release.requests == []


def test_a_file_that_is_not_there_is_named_with_its_parameter(look_up: Any) -> None:
    with pytest.raises(AnsibleLookupError, match="k3s_binary names /does/not/exist"):
        look_up(file="/does/not/exist")
