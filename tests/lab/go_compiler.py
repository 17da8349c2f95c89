# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns recipes into programs with the go command: in a directory of its own, at low priority, telling its progress."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import deque
from pathlib import Path

from tests.lab import toolchain
from tests.lab.errors import LabError
from tests.lab.paths import cache_directory
from tests.lab.progress import Progress, Step
from tests.lab.recipe import Recipe, digest_of_sources


def compile_program(recipe: Recipe, progress: Progress) -> None:
    """Build aside and rename, so that an interrupted build leaves nothing that looks finished."""
    go = toolchain.go_for(recipe.files["go.mod"], progress)
    recipe.executable.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=".build-", dir=cache_directory() / "go") as directory,
        progress.step(recipe.name, f"building {recipe.version}") as step,
    ):
        stage = Path(directory)
        _lay_out(recipe, stage)
        _check_snapshot(recipe, stage)
        for path, part in recipe.payload.items():
            shutil.copy(part.executable, stage / path)
        flags = ["-trimpath", "-ldflags", _linker_flags(recipe)]
        if recipe.tags:
            flags.append(f"-tags={','.join(recipe.tags)}")
        _run_go(go, ["build", "-v", *flags, "-o", "out/program", recipe.package], recipe, stage, step)
        (stage / "out" / "program").replace(recipe.executable)


def vet_and_test(recipe: Recipe, progress: Progress) -> None:
    """Examine the sources of a program; empty files in the place of its payload are enough for that."""
    go = toolchain.go_for(recipe.files["go.mod"], progress)
    with tempfile.TemporaryDirectory(prefix="hearth-go-") as directory:
        stage = Path(directory)
        _lay_out(recipe, stage)
        for path in recipe.payload:
            (stage / path).touch()
        # Compiled as for the program itself, so that Go's cache has the dependencies already; vetted once.
        for verb, flags in (("vet", []), ("test", ["-v", "-vet=off"])):
            with progress.step(recipe.name, f"go {verb}") as step:
                _run_go(go, [verb, "-trimpath", *flags, "."], recipe, stage, step)


def _lay_out(recipe: Recipe, stage: Path) -> None:
    for path in (*recipe.files, *recipe.payload):
        (stage / path).parent.mkdir(parents=True, exist_ok=True)
    for path, source in recipe.files.items():
        shutil.copy(source, stage / path)


def _check_snapshot(recipe: Recipe, stage: Path) -> None:
    """Sources that are edited right now must not be built under the key of what they were."""
    if digest_of_sources({path: stage / path for path in recipe.files}) != recipe.sources:
        raise LabError(f"the sources of {recipe.name} changed while it was about to be built; run the command again")


def _linker_flags(recipe: Recipe) -> str:
    return " ".join(("-s", "-w", *recipe.linker))


def _run_go(go: Path, arguments: list[str], recipe: Recipe, directory: Path, step: Step) -> None:
    """Run the go command at low priority; the package it is at becomes the step's note, its last lines the error."""
    environment = os.environ | {
        "CGO_ENABLED": str(int(recipe.cgo)),
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    tail: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        ["nice", go, *arguments],
        cwd=directory,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            tail.append(line)
            step.note = line.strip()[:60]
    if process.returncode:
        raise LabError(f"go {arguments[0]} of {recipe.name} {recipe.version} failed:\n{''.join(tail).rstrip()}")
