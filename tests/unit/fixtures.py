# SPDX-License-Identifier: GPL-3.0-or-later
"""Test data of other projects, read where it lies beside the checkout; suites skip, saying so, where it is absent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Case = dict[str, Any]


@cache
def load(name: str) -> Any:
    """Return the parsed content of a file of the folder, None where it is absent."""
    path = FOLDER / name
    if not path.is_file():
        return None
    content = path.read_text(encoding="utf-8")
    return json.loads(content) if path.suffix == ".json" else yaml.load(content, Loader=_LOADER)


def each(name: str, select: Callable[[Any], Sequence[Case]] = lambda content: content["cases"]) -> pytest.MarkDecorator:
    """Parametrize a test over the cases of a file, as its argument ``case``."""
    content = load(name)
    if content is None:
        why = pytest.mark.skip(reason=f"{name} is not there: expected in ../shared/fixtures, beside the checkout")
        return pytest.mark.parametrize("case", [pytest.param(None, marks=why)])
    cases = select(content)
    return pytest.mark.parametrize(
        "case", cases, ids=[str(case.get("id", number)) for number, case in enumerate(cases)]
    )
