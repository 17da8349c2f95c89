# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that the lab builds from their Go modules, because a fresh machine cannot fetch them ready-made.

A recipe is data; the program is made once per recipe and kept in the cache. go.sum pins every dependency. Compiled
packages stay in Go's own cache, so a changed double of k3s costs a relink.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab import go_compiler, locks
from tests.lab.errors import LabError
from tests.lab.paths import REPOSITORY, cache_directory
from tests.lab.progress import Progress
from tests.lab.recipe import Recipe, digest_of_sources
from tests.lab.requirements import require

K3S_VERSIONS = ("v1.36.3+k3s1", "v1.35.4+k3s1")
NEWEST_K3S = K3S_VERSIONS[0]

MODULES = REPOSITORY / "tests" / "lab" / "go"
DOUBLE = REPOSITORY / "tests" / "lab" / "k3s"


def module_program(
    name: str,
    version: str,
    package: str,
    *,
    tags: tuple[str, ...] = (),
    static_c: bool = False,
    stamps: Mapping[str, str] | None = None,
) -> Recipe:
    """A program that is one package of a published module; its go.mod and go.sum lie in ``tests/lab/go/<name>``."""
    files = {file: MODULES / name / file for file in ("go.mod", "go.sum")}
    linker = ("-linkmode", "external", "-extldflags", "-static") if static_c else ()
    return Recipe(name, version, files, package, linker=linker + _stamps(stamps or {}), tags=tags, cgo=static_c)


def _stamps(values: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that the linker sets."""
    return tuple(word for name, value in values.items() for word in ("-X", f"{name}={value}"))


PROGRAMS = {
    recipe.name: recipe
    for recipe in (
        # The static C library cannot look up users or hosts, so those two are Go's own.
        module_program(
            "kine",
            "v0.17.5",
            "github.com/k3s-io/kine",
            tags=("netgo", "osusergo", "sqlite_omit_load_extension"),
            static_c=True,
        ),
        module_program("coredns", "v1.12.4", "github.com/coredns/coredns"),
        module_program(
            "local-path-provisioner",
            "v0.0.30",
            "github.com/rancher/local-path-provisioner",
            stamps={"main.VERSION": "v0.0.30"},
        ),
        module_program("metrics-server", "v0.9.0", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
        module_program("kwok", "v0.7.0", "sigs.k8s.io/kwok/cmd/kwok"),
        module_program("helm", "v4.3.1", "helm.sh/helm/v4/cmd/helm"),
    )
}


def kubernetes(version: str = NEWEST_K3S) -> Recipe:
    """The upstream components alone, in one program that is each of them by the name it is called under."""
    files = {"main.go": MODULES / "kubernetes" / "main.go", "components.go": DOUBLE / "components.go"}
    files |= _kubernetes_module(version)
    return Recipe("kubernetes", version, files, linker=_stamps(_kubernetes_stamps(version)))


def double(version: str = NEWEST_K3S) -> Recipe:
    """The double of k3s: those components, and what k3s is around them."""
    files = dict(_double_sources()) | _kubernetes_module(version)
    stamps = {"main.version": version, "main.commit": digest_of_sources(files)[:8]} | _kubernetes_stamps(version)
    return Recipe("k3s", version, files, linker=_stamps(stamps), payload={"payload/kine": PROGRAMS["kine"]})


def described(version: str) -> str:
    """For people: which k3s it is that the lab built. Whatever shows a result of it must say so."""
    return f"the lab's double of k3s {version} (upstream Kubernetes {version.partition('+')[0]}), not the real release"


def _kubernetes_module(version: str) -> dict[str, Path]:
    if version not in K3S_VERSIONS:
        raise LabError(f"the lab has no Kubernetes {version}; it can build {', '.join(K3S_VERSIONS)}")
    directory = DOUBLE / "versions" / version.removeprefix("v").partition("+")[0]
    return {file: directory / file for file in ("go.mod", "go.sum")}


def _kubernetes_stamps(version: str) -> dict[str, str]:
    major, minor = version.removeprefix("v").split(".")[:2]
    return {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/component-base/version.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }


def _double_sources() -> Iterator[tuple[str, Path]]:
    kept_out = {"versions", "README.md"}
    for source in DOUBLE.rglob("*"):
        path = source.relative_to(DOUBLE)
        if source.is_file() and path.parts[0] not in kept_out:
            yield path.as_posix(), source


def build(recipe: Recipe, progress: Progress | None = None) -> Path:
    """The program of this recipe, built if the cache has none."""
    if recipe.executable.exists():
        return recipe.executable
    progress = progress or Progress()
    for part in recipe.payload.values():
        build(part, progress)
    require(recipe.requirements)
    # Two compilers at once would only slow each other down, and might build the same thing twice.
    waiting = progress.step(recipe.name, "waiting for another build on this machine")
    with locks.exclusive(cache_directory() / "go" / ".lock", waiting):
        if not recipe.executable.exists():
            go_compiler.compile_program(recipe, progress)
    return recipe.executable


def every_recipe() -> dict[str, Recipe]:
    """All programs by the name that the command line knows them under."""
    kubernetes_programs = {
        f"{recipe.name}-{version}": recipe
        for version in K3S_VERSIONS
        for recipe in (kubernetes(version), double(version))
    }
    return PROGRAMS | kubernetes_programs


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "build", help="build the programs of the lab from their Go modules, and print where they lie"
    )
    parser.add_argument("--only", metavar="NAME", choices=sorted(every_recipe()), help="one of: %(choices)s")
    parser.add_argument("--test", action="store_true", help="vet and test the sources of the double of k3s instead")
    parser.set_defaults(run=_build_command)


def _build_command(arguments: argparse.Namespace) -> None:
    progress = Progress()
    if arguments.test:
        require(double().requirements)
        go_compiler.vet_and_test(double(), progress)
        return
    for name, recipe in every_recipe().items():
        if arguments.only in (None, name):
            print(build(recipe, progress))
