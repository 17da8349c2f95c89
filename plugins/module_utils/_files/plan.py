# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. A set of files as one change: what is wanted, what is there, and the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .._errors import InputError

HIDDEN = "(the content is not shown)\n"
NO_TEXT = "(the content is no text)\n"


class State(Enum):
    """What shall be at a path."""

    FILE = "file"
    DIRECTORY = "directory"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One path as it shall be; what is None is not looked at."""

    path: str
    state: State
    content: bytes | None = field(default=None, repr=False)
    secret: bool = False
    mode: int | None = None
    owner: int | None = None
    group: int | None = None
    touches: str = ""  # a file that is touched before this path is removed


@dataclass(frozen=True, slots=True)
class Live:
    """One path as it is; ``state`` is None where something else lies there than a file or a directory."""

    state: State | None
    content: bytes = field(default=b"", repr=False)
    mode: int = 0
    owner: int = 0
    group: int = 0
    modified_at: float | None = None
    only_mounts: bool = False  # nothing is there but mount points, which cannot be removed


@dataclass(frozen=True, slots=True)
class Change:
    """What has to be done about one path."""

    wanted: Wanted
    live: Live

    @property
    def replaces(self) -> bool:
        """Whether the content must be written, or the path made or removed."""
        if self.wanted.state is State.ABSENT and self.live.only_mounts:
            return False
        if self.live.state is not self.wanted.state:
            return True
        return self.wanted.state is State.FILE and self.wanted.content != self.live.content

    @property
    def reattributes(self) -> bool:
        """Whether mode or ownership of what stays must be set."""
        wanted, live = self.wanted, self.live
        if wanted.state is State.ABSENT:
            return False
        pairs = ((wanted.mode, live.mode), (wanted.owner, live.owner), (wanted.group, live.group))
        return any(wish is not None and wish != fact for wish, fact in pairs)

    @property
    def needed(self) -> bool:
        return self.replaces or self.reattributes

    def diff(self) -> dict[str, str]:
        """Show the change as Ansible shows differences; the content of a secret file is never part of it."""
        return {
            "before_header": self.wanted.path,
            "after_header": self.wanted.path,
            "before": _shown(self.live.state, self.live.content, self._attributes_before(), self.wanted.secret),
            "after": _shown(self.wanted.state, self.wanted.content or b"", self._attributes_after(), self.wanted.secret)
            + ("(and it changes)\n" if self.wanted.secret and self.replaces else ""),
        }

    def _attributes_before(self) -> str:
        return _attributes(self.live.mode, self.live.owner, self.live.group) if self.reattributes else ""

    def _attributes_after(self) -> str:
        if not self.reattributes:
            return ""
        wanted, live = self.wanted, self.live
        return _attributes(
            live.mode if wanted.mode is None else wanted.mode,
            live.owner if wanted.owner is None else wanted.owner,
            live.group if wanted.group is None else wanted.group,
        )


def changes(wanted: Sequence[Wanted], live: Mapping[str, Live]) -> list[Change]:
    """Return what has to be done, in the order given; the whole set is compared before any of it is written."""
    paths = [one.path for one in wanted]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise InputError(f"{', '.join(twice)} is named more than once in one set of files")
    for one in wanted:
        _refuse_to_replace_a_stranger(one, live[one.path])
    return [change for change in (Change(one, live[one.path]) for one in wanted) if change.needed]


def _refuse_to_replace_a_stranger(wanted: Wanted, live: Live) -> None:
    kinds = {State.FILE: "a directory", State.DIRECTORY: "a file"}
    if live.state is None:
        raise InputError(f"{wanted.path} is neither a file nor a directory, and is not touched", path=wanted.path)
    other = State.DIRECTORY if wanted.state is State.FILE else State.FILE
    if wanted.state in kinds and live.state is other:
        raise InputError(f"{wanted.path} is {kinds[wanted.state]}, and is not replaced", path=wanted.path)


def _shown(state: State | None, content: bytes, attributes: str, secret: bool) -> str:
    if state is State.DIRECTORY:
        return f"(a directory)\n{attributes}"
    if state is not State.FILE:
        return ""
    if secret:
        return attributes + HIDDEN
    return attributes + (NO_TEXT if b"\0" in content else content.decode(errors="replace"))


def _attributes(mode: int, owner: int, group: int) -> str:
    return f"(mode {mode:04o}, owner {owner}, group {group})\n"


def as_result(done: Sequence[Change], newest: float | None) -> dict[str, Any]:
    """What the module tells; its shape never depends on what was asked."""
    return {
        "changed": bool(done),
        "changed_paths": [change.wanted.path for change in done],
        "newest": newest,
        "diff": [change.diff() for change in done],
    }
