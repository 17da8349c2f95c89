# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Versions of k3s, such as v1.36.3+k3s1, and what lies between two of them."""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.]+))?\+k3s(\d+)")


class Version(NamedTuple):
    """Compares as k3s releases follow each other: the candidates of a release come before it."""

    major: int
    minor: int
    patch: int
    is_final: bool
    candidate: tuple[int, ...]
    build: int

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """Nothing where the text is not the name of a release."""
        match = _VERSION.fullmatch(text)
        if match is None:
            return None
        candidate = match[4] or ""
        numbers = tuple(int(number) for number in re.findall(r"\d+", candidate))
        return cls(int(match[1]), int(match[2]), int(match[3]), not candidate, numbers, int(match[5]))

    @property
    def line(self) -> str:
        """The minor version, as people call it: 1.36."""
        return f"{self.major}.{self.minor}"

    def minors_to(self, later: Version) -> int:
        """How many minor versions on the other one is; another major version is out of any reach."""
        return later.minor - self.minor if self.major == later.major else (later.major - self.major) * 1000


def same_line(one: str, other: str) -> bool:
    """Whether two versions share their minor version; not if one of them is none."""
    first, second = Version.parse(one), Version.parse(other)
    return first is not None and second is not None and first.line == second.line
