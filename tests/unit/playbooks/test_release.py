# SPDX-License-Identifier: GPL-3.0-or-later
"""A version of k3s that there is not is told before any machine is asked for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.support.loopback import LoopbackServer
from tests.support.playbooks import ansible_playbook

TOLD = "k3s version v9.99.9+k3s1 is not among the releases at http://127.0.0.1"


class NoReleases(LoopbackServer):
    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_error(404)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Path]:
    """The folder of an operator whose machines do not exist, nor the version that they shall have."""
    with NoReleases().running() as server:
        wanted = {"k3s_version": "v9.99.9+k3s1", "k3s_release_url": server.address, "k3s_release_cache": "cache"}
        servers = {"hosts": {"pi1.invalid": {}, "pi2.invalid": {}}, "vars": wanted}
        (tmp_path / "hosts.json").write_text(json.dumps({"k3s_cluster": {"children": {"k3s_server": servers}}}))
        yield tmp_path


def play(desk: Path, name: str, *words: str) -> str:
    status, said = ansible_playbook(desk, "-i", "hosts.json", f"hearth.cluster.{name}", *words)
    assert status != 0, said
    return " ".join(said.split())


def test_no_machine_is_touched_for_it(desk: Path) -> None:
    said = play(desk, "site")
    assert TOLD in said
    assert "UNREACHABLE" not in said


@pytest.mark.parametrize("words", [["provision"], ["site", "--tags", "provision"]])
def test_operating_systems_can_be_made_ready_all_the_same(desk: Path, words: list[str]) -> None:
    said = play(desk, *words)
    assert "UNREACHABLE" in said
    assert TOLD not in said


def test_a_binary_of_the_operator_is_of_no_release(desk: Path) -> None:
    (desk / "k3s").touch()
    assert "UNREACHABLE" in play(desk, "site", "-e", f"k3s_binary={desk}/k3s")
