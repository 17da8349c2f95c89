# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources in git repositories, with the real program git and repositories that the tests make."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import FetchError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patience import Clock
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.cache import ParsedFiles
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.download import Downloads
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.fetch import Fetched, Fetcher
from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.source import read_source

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the program git is not installed")

ADDRESS = "https://git.example.org/shop"


class World:
    """A repository, and a package that takes its files from it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repository = folder, folder / "upstream"
        self.repository.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.downloads = Downloads(
            folder / "cache",
            Clock(lambda: 0.0, lambda _seconds: None),
            folder / "hearth.lock.yml",
            mirrors={"https://git.example.org/": str(folder) + "/", ADDRESS: str(self.repository)},
        )

    def git(self, *arguments: str) -> str:
        who = {f"GIT_{role}_{part}": "Test <t@example.org>" for role in ("AUTHOR", "COMMITTER") for part in ("NAME",)}
        mail = {"GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_EMAIL": "t@example.org"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.repository,
            env={**os.environ, **who, **mail, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], *, tag: str = "") -> str:
        for name, content in files.items():
            (self.repository / name).parent.mkdir(parents=True, exist_ok=True)
            (self.repository / name).write_text(content)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=change")
        if tag:
            self.git("tag", "--annotate", "--force", "--message=x", tag)
        return self.git("rev-parse", "HEAD")

    def fetch(self, version: str = "v1", **options: object) -> Fetched:
        source = read_source({"git": ADDRESS, "version": version, **options}, "source")
        return Fetcher((self.folder,), ParsedFiles(self.folder / "parsed"), self.downloads).fetch(source)

    def names(self, version: str = "v1", **options: object) -> list[str]:
        return [manifest.identity.name for manifest in self.fetch(version, **options).manifests]

    @property
    def lock(self) -> str:
        return (self.folder / "hearth.lock.yml").read_text()


def manifest(name: str) -> str:
    return f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_tag_a_branch_and_a_commit_are_versions(world: World) -> None:
    first = world.commit({"deploy/a.yaml": manifest("a")}, tag="v1")
    world.commit({"deploy/b.yaml": manifest("b"), "deploy/.hidden.yaml": "- ["})
    assert world.names("v1") == ["a"]
    assert world.names("main") == ["a", "b"]
    assert world.names(first) == ["a"]
    assert world.names("main", files=["deploy/b.yaml"]) == ["b"]


def test_the_second_run_needs_neither_network_nor_repository(world: World) -> None:
    commit = world.commit({"a.yaml": manifest("a")}, tag="v1")
    before = world.fetch()
    assert f"git+{ADDRESS}@v1: {commit}" in world.lock
    assert f"git+{ADDRESS}@v1: sha256:" in world.lock
    shutil.rmtree(world.repository)
    assert world.fetch() == before


def test_another_machine_gets_the_same_digest(world: World) -> None:
    world.commit({"a.yaml": manifest("a"), "run.sh": "#!/bin/sh\n", ".gitattributes": "*.yaml export-ignore"}, tag="v1")
    world.fetch()
    lock = world.lock
    world.downloads.folder = world.folder / "another machine"
    assert world.names() == ["a"]
    assert world.lock == lock


def test_a_tag_that_was_moved_is_refused_with_both_commits(world: World) -> None:
    old = world.commit({"a.yaml": manifest("a")}, tag="v1")
    world.fetch()
    new = world.commit({"a.yaml": manifest("changed")}, tag="v1")
    world.downloads.folder = world.folder / "another machine"
    with pytest.raises(FetchError, match=f"commit {old}, now it is commit {new}.*moved v1") as raised:
        world.fetch()
    assert raised.value.details["reason"] == "digest_mismatch"


class GitServer(BaseHTTPRequestHandler):
    """Speaks git's own protocol over HTTP, by the program that git brings for it."""

    root = ""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        path, _mark, query = self.path.partition("?")
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        answer = subprocess.run(
            ["git", "http-backend"], env=environment, input=body, capture_output=True, check=True
        ).stdout
        head, _gap, content = answer.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        self.send_response(next((int(value.split()[0]) for name, _colon, value in lines if name == "Status"), 200))
        for name, _colon, value in lines:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_repository_behind_a_web_server_is_read_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = world.commit({"a.yaml": manifest("a")}, tag="v1")
    monkeypatch.setattr(GitServer, "root", str(world.folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), GitServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.downloads.mirrors = {ADDRESS: f"http://127.0.0.1:{server.server_port}/upstream/.git"}
    assert world.names("v1") == world.names(commit) == ["a"]
    server.shutdown()
    server.server_close()
    assert world.names("v1") == world.names(commit) == ["a"]
    pauses: list[float] = []
    world.downloads.clock = Clock(lambda: 0.0, pauses.append)
    with pytest.raises(FetchError, match=r"git ls-remote of http://127\.0\.0\.1.* failed"):
        world.fetch("main")
    assert pauses == [2.0, 4.0]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"git": ADDRESS}, "version is missing"),
        ({"git": "--upload-pack=x", "version": "v1"}, "would take for an option"),
        ({"git": ADDRESS, "version": "--output=/tmp/x"}, "would take for an option"),
    ],
)
def test_what_cannot_be_meant_is_refused(source: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_source(source, "source")


def test_a_version_and_a_repository_that_are_not_there_are_named(world: World) -> None:
    world.commit({"a.yaml": manifest("a")}, tag="v1")
    with pytest.raises(FetchError, match=r"has neither a tag nor a branch 'v2'; correct source\.version"):
        world.fetch("v2")
    shutil.rmtree(world.repository)
    with pytest.raises(FetchError, match=r"git ls-remote of .*/upstream failed"):
        world.fetch("v1")


def test_a_controller_without_git_is_told_how_to_get_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(world.folder))
    with pytest.raises(FetchError, match="apt install git"):
        world.fetch("v1")
