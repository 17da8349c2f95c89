# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-test sanity`` of the environment's own ansible-core on a clean copy of the collection.

ansible-test insists on a path that ends in ``ansible_collections/hearth/cluster`` and looks at every file below it,
so it gets a copy of what git knows instead of the checkout. The copy lies outside of the checkout, because
ansible-test skips what git ignores.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.release import __version__ as core_version

ROOT = Path(__file__).resolve().parents[2]
# The double of k3s is a Go program; Go's own tools check it.
OTHER_LANGUAGES = "tests/lab/k3s/"
# The name under which each ansible-core looks for the script that installs pip.
PIP_BOOTSTRAP = {"2.19": "get_pip_24_2.py", "2.20": "get_pip_25_2.py", "2.21": "get_pip_25_2.py"}


def copy_of_the_collection(parent: Path) -> Path:
    """Copy every file that git tracks, or would track, below ``parent`` and return the copy's root."""
    copy = parent / "ansible_collections" / "hearth" / "cluster"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not name.startswith(OTHER_LANGUAGES):
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return copy


def offer_pip() -> None:
    """Place our pip installer where ansible-test keeps the one that it downloads, unless it has one."""
    series = core_version.rsplit(".", 1)[0]
    cached = Path.home() / ".ansible" / "test" / "cache" / PIP_BOOTSTRAP.get(series, PIP_BOOTSTRAP["2.21"])
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("pip_from_ensurepip.py"), cached)


def main() -> int:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    offer_pip()
    command = [
        str(Path(sys.prefix) / "bin" / "ansible-test"),
        "sanity",
        "--python",
        python,
        "--color",
        "no",
        *sys.argv[1:],
    ]
    print(f"sanity: ansible-core {core_version}, Python {python}", flush=True)
    with tempfile.TemporaryDirectory(prefix="hearth-sanity-") as parent:
        return subprocess.run(command, cwd=copy_of_the_collection(Path(parent)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
