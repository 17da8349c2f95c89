# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Run a program of the controller: git, helm, kustomize or ytt.

A lookup needs them too, and has no ``AnsibleModule.run_command``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._errors import HearthError


@dataclass(frozen=True)
class Done:
    """A program that ended: its exit status, what it gave, and what it had to say."""

    status: int
    output: bytes
    told: str


def run_program(
    words: Sequence[str],
    *,
    folder: Path | None = None,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> Done:
    """Run it in `folder` with `given` as its standard input.

    Raises FileNotFoundError where there is no such program; one that takes longer than that is killed.
    """
    return asyncio.run(_run(words, folder, given, environment, seconds))


async def _run(
    words: Sequence[str], folder: Path | None, given: bytes, environment: Mapping[str, str] | None, seconds: float
) -> Done:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(given), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise HearthError(f"The program {words[0]} did not end within {seconds:.0f} seconds and was stopped") from None
    return Done(process.returncode or 0, output, errors.decode(errors="replace"))
