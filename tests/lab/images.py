# SPDX-License-Identifier: GPL-3.0-or-later
"""The container images of the lab, made on this machine because no registry is asked for anything.

An image is data: files of ours, programs that the lab builds, packages of Debian. Images go into archives that
containerd imports: one with all that k3s itself needs (its *airgap images*), one for each service of a test package. An
archive is made once per recipe; the versions of Debian's packages are those of the day on which it was made.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import builds, debian, locks
from tests.lab.builds import PROGRAMS
from tests.lab.oci import Entry, Image, write_archive, write_layer
from tests.lab.paths import REPOSITORY, cache_directory
from tests.lab.progress import Progress, Step
from tests.lab.recipe import Recipe
from tests.lab.requirements import command, require
from tests.lab.rootfs import SUITE

FILES = REPOSITORY / "tests" / "lab" / "image_files"
TOOLS = (command("zstd", "zstd"),)

BUSYBOX_LINKS = """
    sh ash awk basename cat chmod chown cp cut date df dirname du echo env expr false find grep gzip head hostname httpd
    id ip kill ln ls mkdir mktemp mv nc nslookup od ping printenv printf ps pwd readlink rm rmdir sed seq sleep sort
    stat sync tail tar tee test timeout top touch tr true uname uniq vi wc wget whoami xargs
""".split()  # noqa: SIM905  a list of sixty lines would be no clearer


@dataclass(frozen=True)
class ImageRecipe:
    """What one image is made of. ``programs`` maps a path in the image to a program that the lab builds."""

    name: str
    config: Mapping[str, Any]
    programs: Mapping[str, Recipe] = field(default_factory=dict)
    entries: Sequence[Entry] = ()
    packages: Sequence[str] = ()
    keep: Sequence[str] = ()
    """Programs in ``usr/bin`` and ``usr/sbin`` that are wanted; all others of ``packages`` are left out."""

    def describe(self) -> str:
        """Changes with everything that the image is made of, except the versions of Debian's packages."""
        programs = {path: recipe.key for path, recipe in self.programs.items()}
        contents = [entry if isinstance(entry.content, bytes) else _with_bytes(entry) for entry in self.entries]
        return repr((self.name, self.config, programs, contents, tuple(self.packages), tuple(self.keep)))


def _with_bytes(entry: Entry) -> tuple[Entry, bytes]:
    assert isinstance(entry.content, Path)
    return Entry(entry.path, b"", entry.mode, entry.owner), entry.content.read_bytes()


def _account(name: str, number: int) -> list[Entry]:
    """Users and groups, with one that is no administrator."""
    users = f"root:x:0:0:root:/root:/bin/sh\n{name}:x:{number}:{number}::/tmp:/bin/sh\n"
    return [
        Entry("etc/passwd", users.encode()),
        Entry("etc/group", f"root:x:0:\n{name}:x:{number}:\n".encode()),
        Entry("tmp", mode=0o1777, directory=True),
    ]


def _debian_links() -> list[Entry]:
    """Debian's directories merged into /usr, which no package brings."""
    return [Entry(name, link=f"usr/{name}") for name in ("bin", "sbin", "lib", "lib64")]


def _busybox_links() -> list[Entry]:
    return [Entry(f"usr/bin/{name}", link="busybox") for name in BUSYBOX_LINKS]


def _single_program(name: str, path: str, recipe: Recipe) -> ImageRecipe:
    config = {"Entrypoint": [f"/{path}"], "Env": ["PATH=/usr/bin:/bin:/"]}
    return ImageRecipe(name, config, programs={path: recipe}, entries=_account("nobody", 65534))


PAUSE = Recipe("pause", "3.6", {file: builds.MODULES / "pause" / file for file in ("go.mod", "main.go")})

# Named as the manifests of k3s name them, so that both find them; the double's list is images.go.
AIRGAP = (
    _single_program("docker.io/rancher/mirrored-pause:3.6", "pause", PAUSE),
    _single_program("docker.io/rancher/mirrored-coredns-coredns:1.12.4", "coredns", PROGRAMS["coredns"]),
    _single_program(
        "docker.io/rancher/local-path-provisioner:v0.0.30",
        "usr/bin/local-path-provisioner",
        PROGRAMS["local-path-provisioner"],
    ),
    _single_program("docker.io/rancher/mirrored-metrics-server:v0.9.0", "metrics-server", PROGRAMS["metrics-server"]),
    ImageRecipe(
        "docker.io/rancher/mirrored-library-busybox:1.36.1",
        {"Cmd": ["sh"], "Env": ["PATH=/usr/bin"]},
        entries=[*_account("nobody", 65534), *_debian_links(), *_busybox_links()],
        packages=["busybox-static"],
        keep=["busybox"],
    ),
)

NGINX = ImageRecipe(
    "hearth.local/nginx:trixie",
    {
        "Entrypoint": ["nginx", "-g", "daemon off;"],
        "Env": ["PATH=/usr/sbin:/usr/bin"],
        "User": "33:33",
        "ExposedPorts": {"8080/tcp": {}},
        "StopSignal": "SIGQUIT",  # nginx then answers what it has begun
    },
    entries=[
        *_account("www-data", 33),
        *_debian_links(),
        *_busybox_links(),
        Entry("etc/nginx/nginx.conf", FILES / "nginx.conf"),
        Entry("var/log/nginx", directory=True, mode=0o755, owner=33),
        Entry("var/lib/nginx", directory=True, mode=0o755, owner=33),
    ],
    packages=["nginx-light", "busybox-static"],
    keep=["nginx", "busybox"],
)

POSTGRESQL = ImageRecipe(
    "hearth.local/postgresql:17",
    {
        "Entrypoint": ["/usr/local/bin/postgresql.sh"],
        "Env": [
            "PATH=/usr/lib/postgresql/17/bin:/usr/bin",
            "PGDATA=/var/lib/postgresql/17",
            "PGHOST=/tmp",  # where the entry point puts the socket
            "LANG=C.UTF-8",
        ],
        "User": "999:999",
        "ExposedPorts": {"5432/tcp": {}},
        "StopSignal": "SIGINT",  # a fast shutdown: sessions end, the data are written
    },
    entries=[
        *_account("postgres", 999),
        *_debian_links(),
        *_busybox_links(),
        Entry("usr/local/bin/postgresql.sh", FILES / "postgresql.sh", mode=0o755),
        Entry("var/lib/postgresql", directory=True, mode=0o755, owner=999),
    ],
    packages=["postgresql-17", "busybox-static"],
    keep=["busybox", "locale"],
)

ARCHIVES: Mapping[str, Sequence[ImageRecipe]] = {
    "k3s-airgap": AIRGAP,
    "nginx": (NGINX,),
    "postgresql": (POSTGRESQL,),
}


def archive_path(name: str) -> Path:
    """Where the archive lies once it is made; the name carries a digest of its recipe."""
    recipe = "\n".join([SUITE, repr(debian.LEFT_OUT), *(image.describe() for image in ARCHIVES[name])])
    return cache_directory() / "images" / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar.zst"


def archive(name: str, progress: Progress | None = None) -> Path:
    """The archive of this name, made if the cache has none."""
    progress = progress or Progress()
    path = archive_path(name)
    recipes = ARCHIVES[name]
    for program in (program for recipe in recipes for program in recipe.programs.values()):
        builds.build(program, progress)
    lock = path.parent / f".{name}.lock"
    with locks.exclusive(lock, progress.step("images", "waiting for another command that makes images")):
        if not path.exists():
            require(TOOLS + (debian.TOOLS if any(recipe.packages for recipe in recipes) else ()))
            with progress.step("images", f"making {name}") as step:
                _make(path, recipes, step)
        _point(path.with_name(f"{name}.tar.zst"), path)
    return path


def _point(link: Path, path: Path) -> None:
    """The name by which an inventory finds the newest archive."""
    aside = link.with_name(f".{link.name}.new")
    aside.unlink(missing_ok=True)
    aside.symlink_to(path.name)
    aside.replace(link)


def _make(path: Path, recipes: Sequence[ImageRecipe], step: Step) -> None:
    """Made aside and renamed, so that an interrupted run leaves nothing that looks finished."""
    with tempfile.TemporaryDirectory(prefix=".images-", dir=path.parent) as directory:
        workplace = Path(directory)
        images = []
        for number, recipe in enumerate(recipes):
            step.note = recipe.name
            images.append(Image(recipe.name, _layer(recipe, workplace / f"layer-{number}.tar"), recipe.config))
        step.note = "compressing"
        with (workplace / "archive.tar").open("wb") as target:
            write_archive(target, images)
        compress = ["nice", "zstd", "-6", "--quiet", "--threads=0", "archive.tar", "-o", "archive.tar.zst"]
        subprocess.run(compress, cwd=workplace, check=True)
        (workplace / "archive.tar.zst").replace(path)


def _layer(recipe: ImageRecipe, path: Path) -> Path:
    programs = [Entry(name, program.executable, mode=0o755) for name, program in recipe.programs.items()]
    entries = [*recipe.entries, *programs]
    with path.open("wb") as target:
        if recipe.packages:
            with debian.package_files(recipe.packages, recipe.keep) as base:
                write_layer(target, entries, base)
        else:
            write_layer(target, entries)
    return path
