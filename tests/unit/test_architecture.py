# SPDX-License-Identifier: GPL-3.0-or-later
"""The rings of the house: who may import whom. Arrows point inward only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
UTILS = PLUGINS / "module_utils"

# Each library that need not be there is imported by one file, behind a guard.
GATES = {
    "helm_python": "_package/render/helm.py",
    "jmespath": "_kube/query.py",
    "jsonpatch": "_kube/patch/json_patch.py",
    "kubernetes": "_kube/server/client.py",
    "rjsonnet": "_package/render/jsonnet.py",
    "yaml": "_kube/yaml.py",
}

# What looks outside: a cluster, a disk, the clock. Everything else of the core is made of values.
ADAPTERS = {
    f"{folder}/{name}.py"
    for folder, names in {
        "_kube/server": "api_server client finding watching wire",
        "_package": "program",
        "_package/release": "process",
        "_package/render": "build_chart build_tools helm jsonnet programs",
        "_package/sources": "cache credentials download fetch git helm oci transfer",
        "_pi": "block_device boot_files boot_record card_image image media",
    }.items()
    for name in names.split()
}
WIRING = {"_cluster/spec.py", "_kube/options.py", "_package/spec.py"}
OUTSIDE = {
    "ansible",
    "asyncio",
    "http",
    "kubernetes",
    "os",
    "pathlib",
    "requests",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "time",
}

# Packages of the core by what they may know of each other.
MAY_KNOW = {"_kube": {"_kube"}, "_cluster": {"_cluster", "_kube"}, "_package": {"_kube", "_package"}, "_pi": {"_pi"}}


def files(folder: Path = UTILS) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def name_of(file: Path) -> str:
    return file.relative_to(UTILS).as_posix()


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Pairs of the top-level package and the full dotted path; relative imports are resolved below module_utils."""
    here = file.relative_to(UTILS).parent.parts if file.is_relative_to(UTILS) else ()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            yield module.partition(".")[0], module
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - (node.level - 1)]
            target = ".".join([*base, *filter(None, [node.module])])
            yield "." + target.partition(".")[0], "." + target


def core_files() -> list[Path]:
    return [file for package in MAY_KNOW for file in files(UTILS / package)]


def test_there_is_something_to_look_at() -> None:
    assert len(core_files()) > 40


@pytest.mark.parametrize("library", GATES)
def test_a_library_that_may_be_missing_has_one_gate(library: str) -> None:
    importers = {name_of(file) for file in files() if library in {top for top, _path in imports(file)}}
    assert importers == {GATES[library]}


@pytest.mark.parametrize("file", [file for file in core_files() if name_of(file) not in ADAPTERS | WIRING], ids=name_of)
def test_the_core_is_pure(file: Path) -> None:
    assert not {top for top, _path in imports(file)} & OUTSIDE


@pytest.mark.parametrize("file", core_files(), ids=name_of)
def test_arrows_point_inward(file: Path) -> None:
    package = name_of(file).partition("/")[0]
    known = {top.removeprefix(".") for top, _path in imports(file) if top.startswith(".")}
    assert known <= MAY_KNOW[package] | {"_errors"}


@pytest.mark.parametrize("file", core_files(), ids=name_of)
def test_only_the_outer_ring_knows_the_adapters(file: Path) -> None:
    adapters = {"." + adapter.removesuffix(".py").replace("/", ".") for adapter in ADAPTERS}
    met = {path for _top, path in imports(file)} & adapters
    allowed = ADAPTERS | WIRING | {"_package/install.py"}
    assert not met or name_of(file) in allowed


@pytest.mark.parametrize("file", files(), ids=name_of)
def test_every_shared_file_says_that_it_is_private(file: Path) -> None:
    source = file.read_text(encoding="utf-8")
    if source.strip():
        assert "PRIVATE to the collection" in (ast.get_docstring(ast.parse(source)) or "")


@pytest.mark.parametrize("file", sorted((PLUGINS / "modules").glob("*.py")), ids=lambda file: file.stem)
def test_a_module_is_wiring(file: Path) -> None:
    """Below the documentation at most 40 lines of code, besides the table of options."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tables = (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.If)
    lines = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1 for node in tree.body if not isinstance(node, tables)
    )
    assert lines <= 40
