# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Copies a directory from one node straight to another one, and proves that both are equal.

The same code runs on both at once. The receiver listens with the certificate of its kubelet and takes only the sender's
kubelet for an answer; both were issued by k3s, so no key is made, and nobody else can read or write what is copied. GNU
tar carries owners, modes, times, links, holes, lists of access and extended attributes.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import ssl
import stat
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from .._errors import HostError

_FRAME = 1 << 20
_SECONDS_TO_MEET = 120.0
_SECONDS_TO_GREET = 10.0
_PAUSE = 0.5
_KEPT_FREE = 10  # of a hundred: below five the kubelet evicts pods

_TAR = ("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--file=-")
_TIMES = "--pax-option=delete=atime,delete=ctime"  # nobody can restore these
# Labels of a machine's own security module, and what overlays note for themselves.
_NOT_DATA = ("security.selinux", "trusted.overlay.")


@dataclass(frozen=True)
class Content:
    """What a directory holds; two are equal if names, kinds, owners, modes, times, attributes and all bytes are."""

    digest: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Place:
    """A directory on a node."""

    node: str
    path: Path


@dataclass(frozen=True)
class Wire:
    """How two nodes meet: the address of the receiver, a port, and the certificates that k3s gave this node.

    `run` is a word that both were given. The receiver of a run that was killed does not know that of the next one.
    """

    address: str
    port: int
    run: str
    data_dir: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._with_files(context, "serving-kubelet", "client-ca")

    def client_context(self) -> ssl.SSLContext:
        return self._with_files(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "client-kubelet", "server-ca")

    def _with_files(self, context: ssl.SSLContext, own: str, authority: str) -> ssl.SSLContext:
        folder = self.data_dir / "agent"
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(folder / f"{authority}.crt")
            context.load_cert_chain(folder / f"{own}.crt", folder / f"{own}.key")
        except OSError as error:
            raise HostError(f"The certificates of k3s in {folder} cannot be read ({error}); is this a node?") from error
        return context


def send(source: Path, target: Place, wire: Wire) -> Content:
    """Copy a directory to where a receiver waits for it; return what both hold then."""
    if not source.is_dir():
        raise HostError(f"There is no directory {source} on this machine")
    with _telling_of_the_wire(target.node), closing(_call(target, wire)) as line:
        content = content_of(source)  # may take an hour, and the receiver waits for this call only for minutes
        _write(line, asdict(content))
        if _read(line)["lacks"]:
            _send_tree(line, source)
        arrived = Content(**_read(line))
        _write(line, {})
    _refuse_difference(content, arrived)
    return content


def receive(source_node: str, target: Path, wire: Wire) -> tuple[Content, bool]:
    """Wait for a sender; return what both hold, and whether anything had to be copied."""
    with _telling_of_the_wire(source_node), closing(_answer(source_node, wire)) as line:
        content = Content(**_read(line))
        lacks = not target.is_dir() or content_of(target) != content
        _write(line, {"lacks": lacks})
        if lacks:
            _receive_tree(line, target)
        arrived = content_of(target)
        _write(line, asdict(arrived))
        _read(line)
    _refuse_difference(content, arrived)
    return arrived, lacks


def content_of(directory: Path) -> Content:
    """Read all of a directory."""
    lines, files, size = hashlib.sha256(), 0, 0
    for path in sorted(_everything_in(directory), key=os.fsencode):
        status = path.lstat()
        if stat.S_ISSOCK(status.st_mode):
            continue  # of a process that has ended
        name = os.fsencode(path.relative_to(directory))
        told = [name, *(b"%d" % each for each in (status.st_mode, status.st_uid, status.st_gid)), *_attributes(path)]
        if stat.S_ISREG(status.st_mode):
            files, size = files + 1, size + status.st_size
            told += [b"%d" % status.st_mtime_ns, _digest(path)]
        elif stat.S_ISLNK(status.st_mode):
            told += [os.fsencode(path.readlink())]
        lines.update(b"".join(b"%d:%s," % (len(each), each) for each in told) + b"\n")
    return Content(lines.hexdigest(), files, size)


def stored_in(directory: Path) -> int:
    """How many bytes a directory takes; none if it is not there."""
    if not directory.is_dir():
        return 0
    seen = {
        (status.st_dev, status.st_ino): status.st_blocks * 512 for status in map(os.lstat, _everything_in(directory))
    }
    return sum(seen.values())


def left_at(target: Path) -> int:
    """How many bytes runs that were cut short have left where a copy will be; the copy takes their place."""
    return stored_in(target) + stored_in(_arriving(target))


def fullness_of(directory: Path) -> Literal["absent", "empty", "filled"]:
    """Whether something lies where a directory is or will be."""
    if not os.path.lexists(directory):
        return "absent"
    return "empty" if directory.is_dir() and next(directory.iterdir(), None) is None else "filled"


def room_at(directory: Path, *, freed: int = 0) -> int:
    """How many bytes may be stored where a directory is or will be, so that the machine can still work.

    So many more bytes are free by then.
    """
    while not directory.is_dir():
        directory = directory.parent
    file_system = os.statvfs(directory)
    kept = file_system.f_blocks * _KEPT_FREE // 100
    return max(0, (file_system.f_bavail - kept) * file_system.f_frsize + freed)


def _everything_in(directory: Path) -> Iterator[Path]:
    yield directory
    for folder, folders, files in os.walk(directory):
        yield from (Path(folder, name) for name in (*folders, *files))


def _attributes(path: Path) -> list[bytes]:
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
    except OSError:
        return []  # this file system has none
    kept = [name for name in names if not name.startswith(_NOT_DATA)]
    return [part for name in kept for part in (name.encode(), os.getxattr(path, name, follow_symlinks=False))]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _refuse_difference(sent: Content, arrived: Content) -> None:
    if sent != arrived:
        raise HostError(
            f"The copy is not what was sent: {sent.files} files with {sent.bytes} bytes, and {arrived.files} files with"
            f" {arrived.bytes} bytes there, or other owners, modes or attributes. Does a process still write to it, and"
            " can the file system of the other node hold extended attributes?",
            reason="difference",
        )


def _send_tree(line: ssl.SSLSocket, source: Path) -> None:
    command = ["--create", "--format=posix", _TIMES, "--sparse", f"--directory={source}", "."]
    with _tar(command, f"read {source}", "rb") as archive:
        while piece := archive.read(_FRAME):
            line.sendall(struct.pack("!I", len(piece)) + piece)
    line.sendall(struct.pack("!I", 0))


def _receive_tree(line: ssl.SSLSocket, target: Path) -> None:
    """Unpack beside the place, which is never seen half full. There need not be room for an earlier copy as well."""
    target.parent.mkdir(mode=0o701, parents=True, exist_ok=True)
    incoming = _arriving(target)
    with _alone_in(target.parent):
        shutil.rmtree(incoming, ignore_errors=True)
        if target.exists():
            shutil.rmtree(target)  # what an earlier run copied, and what has changed on the other node since
        incoming.mkdir()
        command = ["--extract", "--preserve-permissions", "--same-owner", f"--directory={incoming}"]
        with _tar(command, f"write {incoming}", "wb") as archive:
            while size := struct.unpack("!I", _exactly(line, 4))[0]:
                archive.write(_exactly(line, size))
        incoming.rename(target)
        os.sync()


def _arriving(target: Path) -> Path:
    return target.with_name(f"{target.name}.incoming")


@contextmanager
def _tar(command: Sequence[str], doing: str, mode: Literal["rb", "wb"]) -> Iterator[IO[bytes]]:
    """Run tar and hold the other end of its archive; its own complaint is the error when it fails in the middle."""
    out, into = os.pipe()
    ours, theirs = (out, into) if mode == "rb" else (into, out)
    with tempfile.TemporaryFile() as complaints, ThreadPoolExecutor(1) as beside:
        tar = beside.submit(asyncio.run, _run_tar(command, theirs, mode, complaints))
        with suppress(BrokenPipeError), os.fdopen(ours, mode) as archive:
            yield archive
        if tar.result() != 0:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
            raise HostError(f"Cannot {doing}: {said}", reason="tar")


async def _run_tar(command: Sequence[str], end: int, mode: Literal["rb", "wb"], complaints: IO[bytes]) -> int:
    nothing = asyncio.subprocess.DEVNULL
    stdin, stdout = (nothing, end) if mode == "rb" else (end, nothing)
    try:
        process = await asyncio.create_subprocess_exec(*_TAR, *command, stdin=stdin, stdout=stdout, stderr=complaints)
    finally:
        os.close(end)  # tar alone holds it then, so that each side notices when the other is gone
    return await process.wait()


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Wait until an earlier run that was killed, and still copies, has ended."""
    held = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def _telling_of_the_wire(node: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise HostError(f"Node {node} and this one do not trust each other's certificates: {error}") from error
    except (ConnectionError, EOFError) as error:
        raise HostError(f"The connection to node {node} was cut: {error or 'it ended'}", reason="connection") from error


def _call(target: Place, wire: Wire) -> ssl.SSLSocket:
    """Reach the receiver of this run."""
    context, deadline = wire.client_context(), time.monotonic() + _SECONDS_TO_MEET
    while True:
        try:
            plain = socket.create_connection((wire.address, wire.port), timeout=_SECONDS_TO_GREET)
            line = context.wrap_socket(plain, server_hostname=target.node)
            _wait_for_the_living(line)
            _write(line, {"run": wire.run})
            if _read(line)["run"] == wire.run:
                return line
            line.close()
        except ssl.SSLCertVerificationError:
            raise
        except (OSError, EOFError) as error:
            if time.monotonic() > deadline:
                raise HostError(
                    f"Node {target.node} does not answer at {wire.address}, port {wire.port}, where it waits for the"
                    f" data ({error or 'it hung up'}); does a firewall let this port through?",
                    reason="connection",
                ) from error
        time.sleep(_PAUSE)


def _answer(source_node: str, wire: Wire) -> ssl.SSLSocket:
    """The call of the one node that shall send. Others are turned away, and a later run of it ends this one."""
    context, deadline = wire.server_context(), time.monotonic() + _SECONDS_TO_MEET
    with _door(wire, deadline) as door:
        while True:
            door.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                plain, _caller = door.accept()
            except TimeoutError:
                raise HostError(
                    f"Node {source_node} has not called at port {wire.port} in {_SECONDS_TO_MEET:.0f} seconds; do both"
                    " run at the same time (Ansible needs at least two forks), and does a firewall let it through?",
                    reason="connection",
                ) from None
            line = _trusted(plain, source_node, context)
            if line is not None:
                break
    called = _read(line)["run"]
    _write(line, {"run": wire.run})
    if called != wire.run:
        line.close()
        raise HostError(f"Node {source_node} sends to a later run now", reason="superseded")
    return line


def _door(wire: Wire, deadline: float) -> socket.socket:
    """Listen, as soon as an earlier run that was killed does so no more."""
    family = socket.AF_INET6 if ":" in wire.address else socket.AF_INET
    while True:
        try:
            return socket.create_server((wire.address, wire.port), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise HostError(f"Cannot listen at {wire.address}, port {wire.port}: {error.strerror}") from error
        time.sleep(_PAUSE)


def _trusted(plain: socket.socket, node: str, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """The connection if that node made it; whoever else calls is sent away."""
    plain.settimeout(_SECONDS_TO_GREET)
    try:
        line = context.wrap_socket(plain, server_side=True)
    except OSError:
        plain.close()
        return None
    certificate: Any = line.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    if names != [f"system:node:{node}"]:
        line.close()
        return None
    _wait_for_the_living(line)
    return line


def _wait_for_the_living(plain: socket.socket) -> None:
    """Wait for as long as the other side works, but not for one that is gone."""
    plain.settimeout(None)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4)):
        plain.setsockopt(socket.IPPROTO_TCP, option, value)


def _write(line: ssl.SSLSocket, said: dict[str, Any]) -> None:
    text = json.dumps(said).encode()
    line.sendall(struct.pack("!I", len(text)) + text)


def _read(line: ssl.SSLSocket) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_exactly(line, struct.unpack("!I", _exactly(line, 4))[0]))
    return answer


def _exactly(line: ssl.SSLSocket, size: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < size:
        piece = line.recv(min(size - len(pieces), _FRAME))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)
