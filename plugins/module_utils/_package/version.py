# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Versions, and the constraints on them, as Helm reads them (Masterminds/semver).

Versions may have a leading v and may leave out parts: ``v1.36`` is 1.36.0. Constraints: ``=``, ``!=``, ``>``, ``<``,
``>=``, ``<=``, ``~1.2.3`` (this minor), ``^1.2.3`` (this major; this minor before 1.0), ``1.2.x``, ``*``,
``1.2 - 1.4``; joined by comma or blanks (and), or by ``||`` (or). A prerelease fits only where the constraints
joined with "and" name one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, Final

from .._errors import InputError

_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_TAIL: Final = rf"(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+(?P<build>{_IDENTIFIERS}))?"
_VERSION: Final = re.compile(rf"v?(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?(?:\.(?P<patch>[0-9]+))?{_TAIL}")
_STRICT: Final = re.compile(rf"(?P<major>[0-9]+)\.(?P<minor>[0-9]+)\.(?P<patch>[0-9]+){_TAIL}")


@total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version; what it was built from (after +) tells two versions apart only for people."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    build: str = ""

    @classmethod
    def parse(cls, text: str, *, leading_zeros: bool = True) -> Version:
        """Read a version as upstreams write them; calendar versions such as 2026.07.2 have leading zeros."""
        return cls._read(_VERSION.fullmatch(text), text, leading_zeros)

    @classmethod
    def parse_strict(cls, text: str) -> Version:
        """Read a version that has all its parts and nothing before them."""
        return cls._read(_STRICT.fullmatch(text), text, False)

    @classmethod
    def _read(cls, match: re.Match[str] | None, text: str, leading_zeros: bool) -> Version:
        if match is None:
            raise InputError(f"{text!r} is no version")
        numbers = [match[part] or "0" for part in ("major", "minor", "patch")]
        names = (match["prerelease"] or "").split(".")
        for part in names if leading_zeros else [*numbers, *names]:
            if part.isdigit() and part != "0" and part.startswith("0"):
                raise InputError(f"{text!r} is no version: {part} has a leading zero")
        major, minor, patch = map(int, numbers)
        return cls(major, minor, patch, match["prerelease"] or "", match["build"] or "")

    def next_patch(self) -> Version:
        """Return the release after this version; the one after a prerelease is what it prepares."""
        return Version(self.major, self.minor, self.patch + (0 if self.prerelease else 1))

    def next_minor(self) -> Version:
        return Version(self.major, self.minor + 1)

    def next_major(self) -> Version:
        return Version(self.major + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._rank == other._rank

    def __lt__(self, other: Version) -> bool:
        return self._rank < other._rank

    def __hash__(self) -> int:
        return hash(self._rank)

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{f'+{self.build}' if self.build else ''}"

    @property
    def _rank(self) -> tuple[Any, ...]:
        return self.major, self.minor, self.patch, prerelease_rank(self.prerelease)


def prerelease_rank(prerelease: str) -> tuple[Any, ...]:
    """Return what prereleases are sorted by: numbers before words, and a release after all its prereleases."""
    if not prerelease:
        return (1,)
    parts = prerelease.split(".")
    return 0, tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


@dataclass(frozen=True)
class _Bound:
    """One constraint: an operator and a version, of which parts may be left open."""

    operator: str
    written: str
    version: Version
    open_major: bool = False
    open_minor: bool = False
    open_patch: bool = False

    @property
    def is_open(self) -> bool:
        return self.open_major or self.open_minor or self.open_patch

    def admits(self, version: Version) -> bool:
        return _RULES[self.operator](self, version)

    def __str__(self) -> str:
        return f"{self.operator}{self.written}"


def _differs(bound: _Bound, version: Version) -> bool:
    if not bound.is_open:
        return version != bound.version
    if bound.version.major != version.major:
        return True
    if bound.open_minor or bound.open_major:
        return False
    if bound.version.minor != version.minor:
        return True
    return prerelease_rank(version.prerelease) != prerelease_rank(bound.version.prerelease)


def _greater(bound: _Bound, version: Version) -> bool:
    if not bound.is_open or version.major != bound.version.major:
        return version > bound.version
    # 11.1 is part of what >11 leaves behind, as 11.1.1 is for >11.1.
    return bound.open_patch and version.minor > bound.version.minor


def _at_most(bound: _Bound, version: Version) -> bool:
    if not bound.is_open:
        return version <= bound.version
    if version.major != bound.version.major:
        return version.major < bound.version.major
    return bound.open_minor or version.minor <= bound.version.minor


def _tilde(bound: _Bound, version: Version) -> bool:
    wanted = bound.version
    if version < wanted:
        return False
    if (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) and not (bound.open_minor or bound.open_patch):
        return True  # so ~* is everything; upstream reads ~0.0.0 in the same way
    return version.major == wanted.major and (bound.open_minor or version.minor == wanted.minor)


def _equals(bound: _Bound, version: Version) -> bool:
    return _tilde(bound, version) if bound.is_open else version == bound.version


def _caret(bound: _Bound, version: Version) -> bool:
    wanted = bound.version
    if version < wanted or version.major != wanted.major:
        return bound.open_major and version >= wanted
    if wanted.major > 0 or bound.open_minor or bound.open_major:
        return True
    if version.minor != wanted.minor:
        return False
    return wanted.minor > 0 or bound.open_patch or version.patch == wanted.patch


_RULES: Final[Mapping[str, Callable[[_Bound, Version], bool]]] = {
    "": _equals,
    "=": _equals,
    "!=": _differs,
    ">": _greater,
    "<": lambda bound, version: version < bound.version,
    ">=": lambda bound, version: version >= bound.version,
    "=>": lambda bound, version: version >= bound.version,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

_NUMBER: Final = r"(?:[0-9]+|[xX*])"
_OPEN_VERSION: Final = rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?"
_OPERATORS: Final = "|".join(re.escape(name) for name in sorted(_RULES, key=len, reverse=True))
_ONE: Final = re.compile(rf"\s*(?P<operator>{_OPERATORS})\s*(?P<version>{_OPEN_VERSION})(?=[\s,]|$)\s*,?")
_RANGE: Final = re.compile(rf"(?P<low>{_OPEN_VERSION})\s+-\s+(?P<high>{_OPEN_VERSION})")
_PARTS: Final = re.compile(rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?(?P<tail>.*)")


@dataclass(frozen=True)
class Constraint:
    """Alternatives, each of which is a list of bounds that must all hold."""

    alternatives: tuple[tuple[_Bound, ...], ...] = field(default=())

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read a constraint, or say what in it is wrong."""
        return cls(tuple(_read_group(group, text) for group in text.split("||")))

    def admits(self, version: Version, *, prereleases: bool = False) -> bool:
        """Whether a version fits; prereleases lets them take part where the constraint does not name one."""
        return any(_all_admit(group, version, prereleases) for group in self.alternatives)

    def __str__(self) -> str:
        return " || ".join(" ".join(map(str, group)) for group in self.alternatives)


def _all_admit(group: tuple[_Bound, ...], version: Version, prereleases: bool) -> bool:
    names_one = any(bound.version.prerelease for bound in group)
    if version.prerelease and not prereleases and not names_one:
        return False
    return all(bound.admits(version) for bound in group)


def _read_group(group: str, whole: str) -> tuple[_Bound, ...]:
    rest = _RANGE.sub(r">=\g<low>, <=\g<high>", group).strip() or "*"
    bounds: list[_Bound] = []
    while rest:
        match = _ONE.match(rest)
        if match is None:
            raise InputError(f"version constraint {whole!r} cannot be read from {rest!r} on")
        bounds.append(_bound(match["operator"], match["version"]))
        rest = rest[match.end() :].strip()
    return tuple(bounds)


def _bound(operator: str, written: str) -> _Bound:
    parts = _PARTS.fullmatch(written)
    if parts is None:
        raise AssertionError("whatever _ONE finds has these parts")
    known: list[str] = []
    for name in ("major", "minor", "patch"):
        if not (parts[name] or "x").isdigit():
            break
        known.append(parts[name])
    version = Version.parse(".".join([*known, "0", "0", "0"][:3]) + parts["tail"])
    return _Bound(operator, written, version, *(len(known) == count for count in range(3)))
