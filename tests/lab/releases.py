# SPDX-License-Identifier: GPL-3.0-or-later
"""Release directories shaped like k3s' releases on GitHub, and the server that controllers download them from.

``<cache>/releases/<version>/`` holds ``k3s``, ``k3s-airgap-images-amd64.tar.zst`` and ``sha256sum-amd64.txt``: the
double of k3s under the names of the real thing. A role that is given the server's address downloads as from GitHub.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.lab import builds, images, locks
from tests.lab.builds import K3S_VERSIONS
from tests.lab.errors import LabError
from tests.lab.network import DEFAULT_INSTANCE, Network
from tests.lab.paths import REPOSITORY, cache_directory, runtime_directory
from tests.lab.progress import Progress

BINARY = "k3s"
IMAGES = "k3s-airgap-images-amd64.tar.zst"
CHECKSUMS = "sha256sum-amd64.txt"
START_TIMEOUT = 10.0


def takes_real_one() -> bool:
    """``HEARTH_LAB_K3S=release``: the inventory of the lab then names the release on GitHub, and nothing is built."""
    chosen = os.environ.get("HEARTH_LAB_K3S", "double")
    if chosen not in ("double", "release"):
        raise LabError(f"HEARTH_LAB_K3S is {chosen!r}; it may be double (the usual) or release")
    return chosen == "release"


def releases_directory() -> Path:
    return cache_directory() / "releases"


def release(version: str, progress: Progress | None = None) -> Path:
    """The directory of this version, up to date with the sources of the double and of the images."""
    progress = progress or Progress()
    sources = {BINARY: builds.build(builds.double(version), progress), IMAGES: images.archive("k3s-airgap", progress)}
    directory = releases_directory() / version
    directory.mkdir(parents=True, exist_ok=True)
    with locks.exclusive(releases_directory() / ".lock"):
        stale = {name: source for name, source in sources.items() if not _is_same_file(directory / name, source)}
        if stale or not (directory / CHECKSUMS).exists():
            (directory / CHECKSUMS).unlink(missing_ok=True)  # rather none than a wrong one while files change
            for name, source in stale.items():
                _link(source, directory / name)
            _write_checksums(directory, sorted(sources))
    return directory


def _is_same_file(path: Path, source: Path) -> bool:
    return path.exists() and path.samefile(source)


def _link(source: Path, target: Path) -> None:
    """A second name for the file in the cache: no copy, and replaced in one step."""
    aside = target.with_name(f".{target.name}.new")
    aside.unlink(missing_ok=True)
    aside.hardlink_to(source)
    aside.replace(target)


def _write_checksums(directory: Path, names: list[str]) -> None:
    aside = directory / f".{CHECKSUMS}.new"
    aside.write_text("".join(f"{_sha256(directory / name)}  {name}\n" for name in names))
    aside.replace(directory / CHECKSUMS)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def port(instance: str) -> int:
    """Each lab instance has a port of its own: 18077 for 10.77.0.0/24, and so on."""
    return 18000 + Network(instance).subnet.network_address.packed[1]


def url(instance: str = DEFAULT_INSTANCE) -> str:
    """What takes the place of ``https://github.com/k3s-io/k3s/releases/download``."""
    return f"http://127.0.0.1:{port(instance)}"


def serve_releases(instance: str = DEFAULT_INSTANCE) -> str:
    """Start the server of this instance unless it runs; its address. It outlives this process; see ``stop_serving``."""
    address = url(instance)
    with locks.exclusive(_pid_file(instance).with_suffix(".lock")):
        if not _answers(address):
            releases_directory().mkdir(parents=True, exist_ok=True)
            _start_server(instance, address)
    return address


def stop_serving(instance: str = DEFAULT_INSTANCE) -> None:
    """End the server, if it runs, and wait until it is gone: one that starts next must find the port free."""
    pid_file = _pid_file(instance)
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    if _is_server(pid):
        process = os.pidfd_open(pid)
        signal.pidfd_send_signal(process, signal.SIGKILL)  # it has nothing to put in order
        select.select([process], [], [])
        os.close(process)
    pid_file.unlink()


def _start_server(instance: str, address: str) -> None:
    log = releases_directory() / f".server-{instance}.log"
    command = [sys.executable, "-m", "tests.lab.file_server", str(releases_directory()), str(port(instance))]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _pid_file(instance).write_text(f"{process.pid}\n")
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(address):
        if process.poll() is not None or time.monotonic() > deadline:
            reason = log.read_text(errors="replace").strip()[-500:]
            raise LabError(f"the release server on {address} did not start: {reason}")
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/", timeout=2) as answer:
            return bool(answer.headers.get("Server", "").startswith("hearth-lab"))
    except (urllib.error.URLError, OSError):
        return False


def _is_server(pid: int) -> bool:
    """A pid file may be older than a reboot: never end a process that merely has the number."""
    try:
        return b"tests.lab.file_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _pid_file(instance: str) -> Path:
    path = runtime_directory(instance) / "release-server.pid"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("release", help="build the releases of k3s and all images, and serve them")
    parser.add_argument("--version", choices=K3S_VERSIONS, action="append", help="default: all")
    parser.set_defaults(run=_release)


def _release(arguments: argparse.Namespace) -> None:
    progress = Progress()
    for version in arguments.version or K3S_VERSIONS:
        print(release(version, progress))
    for name in images.ARCHIVES:
        print(images.archive(name, progress))
    print(serve_releases(arguments.lab or DEFAULT_INSTANCE))
