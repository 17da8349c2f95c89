# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Tools that build objects from a folder and are programs: kustomize and ytt."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._errors import InputError
from ..program import run_program
from ..sources.tree import Tree
from .build_chart import write_tree


@dataclass(frozen=True)
class Program:
    """A program that is on this machine, and the words that come before the paths."""

    path: str
    words: tuple[str, ...]

    @property
    def key(self) -> str:
        """Changes when another version is installed."""
        about = Path(self.path).resolve().stat()
        return f"{self.path} {about.st_size} {about.st_mtime_ns}"


def kustomize_program() -> Program:
    for name, words in (("kustomize", ("build",)), ("kubectl", ("kustomize",))):
        path = shutil.which(name)
        if path:
            return Program(path, words)
    raise InputError(
        "source.kustomize needs the program kustomize or kubectl on the controller, and neither is in PATH; install"
        " one, for example with 'apt install kubernetes-client' or 'brew install kustomize'"
    )


def ytt_program() -> Program:
    path = shutil.which("ytt")
    if path is None:
        raise InputError(
            "source.ytt needs the program ytt on the controller, and it is not in PATH; install it, for example with"
            " 'brew install ytt', or from the releases of carvel-dev/ytt"
        )
    return Program(path, ())


def run_kustomize(program: Program, tree: Tree, folder: str, origin: str) -> str:
    return _run(program, tree, words=(), paths=(folder,), origin=origin)


def run_ytt(program: Program, tree: Tree, paths: Sequence[str], values: Mapping[str, Any], origin: str) -> str:
    # Values come by the standard input: neither a list of arguments nor a file shall show them.
    words = ("--data-values-file", "/dev/stdin") if values else ()
    return _run(program, tree, words=words, paths=paths, origin=origin, flag="--file", values=values)


def _run(
    program: Program,
    tree: Tree,
    *,
    words: Sequence[str],
    paths: Sequence[str],
    origin: str,
    flag: str = "",
    values: Mapping[str, Any] | None = None,
) -> str:
    with tempfile.TemporaryDirectory(prefix="hearth-build-") as folder:
        write_tree(tree, Path(folder))
        named = [word for path in paths for word in (*((flag,) if flag else ()), path)]
        done = run_program(
            [program.path, *program.words, *words, *named],
            folder=Path(folder),
            given=json.dumps(values or {}).encode(),
        )
    if done.status:
        told = " ".join(done.told.replace(f"{folder}/", "").split())
        raise InputError(f"{origin} cannot be built: {told}", reason="template")
    return done.output.decode(errors="replace")
