# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of a copy, each with the certificates of its node, over loopback."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HostError
from ansible_collections.hearth.cluster.plugins.module_utils._host import volume_copy
from ansible_collections.hearth.cluster.plugins.module_utils._host.volume_copy import (
    Content,
    Place,
    Wire,
    content_of,
    fullness_of,
    left_at,
    receive,
    room_at,
    send,
    stored_in,
)

from tests.lab.apiserver import free_ports
from tests.lab.authority import Authority

HERE = "127.0.0.1"


class Pair:
    """Two nodes of one cluster: pi2 has the data, pi3 gets them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, HERE
        self.authority = Authority.create(folder / "ca")
        self.port = free_ports(1)[0]
        self.source, self.target = folder / "pi2" / "data", folder / "pi3" / "storage" / "data.moved-1"
        self.source.mkdir(parents=True)
        self.node("pi2")
        self.node("pi3")

    def node(self, name: str, *, calls_itself: str = "") -> None:
        agent = self.folder / name / "k3s" / "agent"
        agent.mkdir(parents=True, exist_ok=True)
        replace(self.authority, directory=agent).issue_kubelet(calls_itself or name, HERE)
        for authority in ("client-ca", "server-ca"):
            (agent / f"{authority}.crt").write_bytes((self.folder / "ca" / "ca.crt").read_bytes())

    def wire(self, name: str) -> Wire:
        return Wire(self.address, self.port, "this run", self.folder / name / "k3s")

    def copy(self) -> tuple[Content, Content, bool]:
        """What the sender and the receiver say that they hold, and whether anything was copied."""
        arrived: list[tuple[Content, bool]] = []
        self.receiver_error: BaseException | None = None

        def get() -> None:
            try:
                arrived.append(receive("pi2", self.target, self.wire("pi3")))
            except HostError as error:
                self.receiver_error = error

        receiving = threading.Thread(target=get)
        receiving.start()
        try:
            sent = send(self.source, Place("pi3", self.target), self.wire("pi2"))
        finally:
            receiving.join()
        return sent, *arrived[0]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def fill(directory: Path) -> None:
    (directory / "deep" / "er").mkdir(parents=True)
    (directory / "deep").chmod(0o750)
    (directory / "deep" / "er" / "file").write_bytes(os.urandom(3_000_000))
    (directory / "deep" / "er" / "file").chmod(0o640)
    os.utime(directory / "deep" / "er" / "file", ns=(1, 1_700_000_000_123_456_789))
    (directory / "a link").symlink_to("deep/nowhere")
    (directory / "twin").hardlink_to(directory / "deep" / "er" / "file")
    with (directory / "holes").open("wb") as file:
        file.truncate(50_000_000)
    directory.chmod(0o777)


def test_everything_arrives_and_is_equal(pair: Pair) -> None:
    fill(pair.source)
    sent, arrived, copied = pair.copy()
    assert copied
    assert sent == arrived == content_of(pair.source) == content_of(pair.target)
    assert (sent.files, sent.bytes) == (3, 56_000_000)
    assert (pair.target / "a link").readlink() == Path("deep/nowhere")
    assert (pair.target / "twin").samefile(pair.target / "deep" / "er" / "file")
    assert (pair.target / "deep" / "er" / "file").stat().st_mtime_ns == 1_700_000_000_123_456_789
    assert (pair.target / "holes").stat().st_blocks == 0
    assert (pair.target.stat().st_mode & 0o777, (pair.target / "deep").stat().st_mode & 0o777) == (0o777, 0o750)
    assert list(pair.target.parent.iterdir()) == [pair.target]


def test_nodes_meet_at_an_ipv6_address_too(pair: Pair) -> None:
    pair.address = "::1"
    try:
        socket.create_server((pair.address, 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")  # containers often have none, and nothing else here needs it
    (pair.source / "file").write_text("x")
    assert pair.copy()[2] is True


def test_extended_attributes_arrive(pair: Pair) -> None:
    (pair.source / "file").write_text("x")
    try:
        os.setxattr(pair.source / "file", "user.color", b"blue")
    except OSError:
        pytest.skip("the file system of the temporary directory has no extended attributes")
    pair.copy()
    assert os.getxattr(pair.target / "file", "user.color") == b"blue"


def test_what_is_there_already_is_compared_only(pair: Pair) -> None:
    fill(pair.source)
    pair.copy()
    assert pair.copy()[2] is False


def test_what_has_changed_since_an_earlier_copy_is_replaced(pair: Pair) -> None:
    (pair.source / "file").write_text("old")
    pair.copy()
    (pair.source / "file").write_text("new")
    (pair.source / "other").write_text("more")
    assert pair.copy()[2] is True
    assert ((pair.target / "file").read_text(), (pair.target / "other").read_text()) == ("new", "more")


def test_the_rest_of_a_run_that_was_killed_is_no_hindrance(pair: Pair) -> None:
    (pair.source / "file").write_text("all of it")
    incoming = pair.target.with_name("data.moved-1.incoming")
    incoming.mkdir(parents=True)
    (incoming / "file").write_text("half")
    (incoming / "never there").write_text("x")
    pair.copy()
    assert list(pair.target.iterdir()) == [pair.target / "file"]
    assert not incoming.exists()


def test_there_need_not_be_room_for_an_earlier_copy_as_well(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    (pair.source / "file").write_text("old")
    pair.copy()
    (pair.source / "file").write_text("new")
    seen, honest = [], volume_copy._tar

    def look(command: Sequence[str], doing: str, mode: Literal["rb", "wb"]) -> AbstractContextManager[IO[bytes]]:
        seen.extend([pair.target.exists()] if mode == "wb" else [])
        return honest(command, doing, mode)

    monkeypatch.setattr(volume_copy, "_tar", look)
    pair.copy()
    assert seen == [False]


def test_what_a_run_that_was_killed_has_left_is_room_for_the_next(tmp_path: Path) -> None:
    target, incoming = tmp_path / "data.moved-1", tmp_path / "data.moved-1.incoming"
    assert left_at(target) == 0
    incoming.mkdir()
    (incoming / "file").write_bytes(bytes(1_000_000))
    assert 1_000_000 <= left_at(target) < 1_100_000
    target.mkdir()
    (target / "file").write_bytes(bytes(2_000_000))
    assert 3_000_000 <= left_at(target) < 3_200_000
    disk = os.statvfs(tmp_path)
    full = os.statvfs_result([*disk[:4], disk.f_blocks // 10 - 1, *disk[5:]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _path: full)
        assert (room_at(target), room_at(target, freed=disk.f_frsize * 3)) == (0, disk.f_frsize * 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "file").chmod(0o600),
        lambda path: (path / "file").write_text("y"),
        lambda path: os.utime(path / "file", ns=(1, 1)),
        lambda path: (path / "file").rename(path / "other"),
        lambda path: (path / "empty").mkdir(),
        lambda path: path.chmod(0o700),
    ],
    ids=["mode", "content", "time", "name", "folder", "mode of the whole"],
)
def test_every_difference_counts(tmp_path: Path, change: object) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o644)
    tmp_path.chmod(0o755)
    before = content_of(tmp_path)
    change(tmp_path)
    assert content_of(tmp_path).digest != before.digest


def test_a_directory_that_changes_meanwhile_is_refused(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    (pair.source / "file").write_text("before")
    honest = volume_copy._send_tree

    def write_in_between(*arguments: object) -> None:
        (pair.source / "file").write_text("after")
        honest(*arguments)

    monkeypatch.setattr(volume_copy, "_send_tree", write_in_between)
    with pytest.raises(HostError, match="The copy is not what was sent") as refused:
        pair.copy()
    assert refused.value.details["reason"] == "difference"


def test_another_node_is_not_listened_to(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_copy, "_SECONDS_TO_MEET", 1.0)
    (pair.source / "file").write_text("x")
    pair.node("pi2", calls_itself="pi9")
    with pytest.raises(HostError, match="Node pi3 does not answer"):
        pair.copy()
    assert "Node pi2 has not called" in str(pair.receiver_error)
    assert not pair.target.exists()


def wait_for_the_door(wire: Wire) -> None:
    """Knock until somebody listens; who knocks without a certificate is turned away."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((wire.address, wire.port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_receiver_of_a_run_that_was_killed_makes_room(pair: Pair) -> None:
    (pair.source / "file").write_text("x")
    ended: list[HostError] = []

    def wait_for_a_sender_that_was_killed() -> None:
        try:
            receive("pi2", pair.folder / "pi3" / "other", replace(pair.wire("pi3"), run="an earlier run"))
        except HostError as error:
            ended.append(error)

    earlier = threading.Thread(target=wait_for_a_sender_that_was_killed)
    earlier.start()
    wait_for_the_door(pair.wire("pi3"))
    assert pair.copy()[2] is True
    earlier.join()
    assert ended[0].details["reason"] == "superseded"
    assert not (pair.folder / "pi3" / "other").exists()


def test_nothing_is_sent_to_another_node(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_copy, "_SECONDS_TO_MEET", 1.0)
    pair.node("pi3", calls_itself="pi9")
    with pytest.raises(HostError, match="do not trust each other's certificates"):
        pair.copy()
    assert not pair.target.exists()


def test_a_directory_that_takes_longer_to_read_than_nodes_wait_for_each_other_arrives(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume_copy, "_SECONDS_TO_MEET", 1.0)
    (pair.source / "file").write_text("x")

    def read_slowly(directory: Path) -> Content:
        if directory == pair.source:
            time.sleep(2.0)
        return content_of(directory)

    monkeypatch.setattr(volume_copy, "content_of", read_slowly)
    assert pair.copy()[2] is True


def test_who_waits_in_vain_says_for_what(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_copy, "_SECONDS_TO_MEET", 0.1)
    with pytest.raises(HostError, match="does a firewall let this port through"):
        send(pair.source, Place("pi3", pair.target), pair.wire("pi2"))
    with pytest.raises(HostError, match="at least two forks"):
        receive("pi2", pair.target, pair.wire("pi3"))


def test_a_machine_without_k3s_says_so(pair: Pair) -> None:
    with pytest.raises(HostError, match="is this a node"):
        receive("pi2", pair.target, replace(pair.wire("pi3"), data_dir=pair.folder / "nothing"))
    with pytest.raises(HostError, match="There is no directory"):
        send(pair.folder / "nothing", Place("pi3", pair.target), pair.wire("pi2"))


def test_a_directory_is_measured_with_its_holes(tmp_path: Path) -> None:
    fill(tmp_path)
    assert 3_000_000 <= stored_in(tmp_path) < 4_000_000
    assert stored_in(tmp_path / "nothing") == 0
    assert 0 <= room_at(tmp_path / "not" / "there") == room_at(tmp_path)


def test_a_directory_is_absent_empty_or_filled(tmp_path: Path) -> None:
    assert fullness_of(tmp_path / "nothing") == "absent"
    assert fullness_of(tmp_path) == "empty"
    (tmp_path / "lost").symlink_to("nowhere")
    assert (fullness_of(tmp_path), fullness_of(tmp_path / "lost")) == ("filled", "filled")
