# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go that is new enough: Debian's and Ubuntu's are often too old, and any Go can fetch a newer one.

Go publishes its toolchains as modules, so they come through the same proxy and are verified against the same checksum
database as every other module. From Go 1.21 on the go command would do it by itself, but Debian switches that off.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from tests.lab import locks
from tests.lab.errors import LabError
from tests.lab.paths import cache_directory
from tests.lab.progress import Progress

NEWEST = "1.26.8"


def go_for(module_file: Path, progress: Progress) -> Path:
    """A go command that can build what this go.mod describes: the machine's own, or else a newer one from the cache."""
    wanted = required_version(module_file.read_text())
    have = _ask("env", "GOVERSION").removeprefix("go")
    if numbers(have) >= numbers(wanted):
        return _own()
    if os.environ.get("GOTOOLCHAIN") == "local":
        raise LabError(
            f"Go {wanted} is needed, this machine has {have}, and GOTOOLCHAIN=local forbids to fetch a newer one; "
            f"unset that variable or install Go {NEWEST}"
        )
    return _fetched(progress, have)


def required_version(module: str) -> str:
    match = re.search(r"^go (\S+)", module, re.MULTILINE)
    return match[1] if match else "1.0"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _own() -> Path:
    return Path(shutil.which("go") or "/usr/local/go/bin/go")


@lru_cache
def _ask(*arguments: str) -> str:
    return subprocess.run([_own(), *arguments], text=True, capture_output=True, check=True).stdout.strip()


def _fetched(progress: Progress, have: str) -> Path:
    directory = cache_directory() / "go" / "toolchain" / NEWEST
    waiting = progress.step("go", "waiting for another command that fetches Go")
    with locks.exclusive(directory.with_suffix(".lock"), waiting):
        if not directory.exists():
            with progress.step("go", f"fetching Go {NEWEST}, for this machine has {have}"):
                _unpack(_download(), directory)
    return directory / "bin" / "go"


def _download() -> Path:
    """The toolchain in the module cache, verified."""
    platform = f"{_ask('env', 'GOHOSTOS')}-{_ask('env', 'GOHOSTARCH')}"
    module = f"golang.org/toolchain@v0.0.1-go{NEWEST}.{platform}"
    done = subprocess.run(
        [_own(), "mod", "download", "-json", module], text=True, capture_output=True, check=False, cwd="/"
    )
    if done.returncode:
        reason = done.stderr.strip() or done.stdout.strip()
        raise LabError(f"Go {NEWEST} could not be fetched: {reason}; install it by hand, or mend the way to GOPROXY")
    return Path(json.loads(done.stdout)["Dir"])


def _unpack(module: Path, target: Path) -> None:
    """Modules carry no permission to execute; a copy gets it back."""
    aside = target.with_suffix(".unfinished")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(module, aside, copy_function=shutil.copyfile)
    for program in (*aside.glob("bin/*"), *aside.glob("pkg/tool/*/*")):
        program.chmod(0o755)
    for directory in (aside, *(path for path in aside.rglob("*") if path.is_dir())):
        directory.chmod(0o755)  # in the module cache they are read-only
    aside.rename(target)
