# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The kernel command line of a Raspberry Pi as a value.

``parse`` and ``CommandLine.render`` give back the same bytes for any text; ``with_arguments`` changes only what it is
told to. What the kernel makes of the text is the guide: white space separates arguments unless a double quote protects
it, ``-`` and ``_`` are the same in a name, everything after ``--`` belongs to init, and the firmware reads the first
line only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .._errors import InputError

# A quoted part may hold spaces; a quote that is never closed runs to the end of the line, as in the kernel.
_ARGUMENT = re.compile(r'(?:"[^"]*(?:"|$)|[^\s"])+')
_INIT_ARGUMENTS = "--"

# What an option says about one key: its value, a flag without a value, or values to have among others.
Wanted: TypeAlias = "str | bool | Sequence[str]"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as it is written."""

    text: str

    @property
    def key(self) -> str:
        return self.text.replace('"', "").partition("=")[0].replace("-", "_")

    @property
    def value(self) -> str | None:
        _key, separator, value = self.text.replace('"', "").partition("=")
        return value if separator else None

    def is_named(self, name: str) -> bool:
        """Whether ``name``, a key or a whole ``key=value``, means this argument."""
        named = Argument(name)
        return self.key == named.key and (named.value is None or self.value == named.value)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The first line's arguments with the white space around them, and the rest of the file."""

    arguments: tuple[Argument, ...]
    spaces: tuple[str, ...]  # before each argument, and one more after the last
    tail: str  # from the first line's end on

    def render(self) -> str:
        written = "".join(space + argument.text for space, argument in zip(self.spaces, self.arguments, strict=False))
        return written + self.spaces[-1] + self.tail

    @property
    def stray(self) -> tuple[Argument, ...]:
        """Arguments on further lines, which the firmware never hands to the kernel."""
        return tuple(Argument(match) for match in _ARGUMENT.findall(self.tail))

    def values(self, key: str) -> tuple[str | None, ...]:
        name = Argument(key).key
        return tuple(argument.value for argument in self.arguments if argument.key == name)


def parse(text: str) -> CommandLine:
    match = re.search(r"\r*\n", text)
    line, tail = (text[: match.start()], text[match.start() :]) if match else (text, "")
    arguments, spaces, end = [], [], 0
    for found in _ARGUMENT.finditer(line):
        spaces.append(line[end : found.start()])
        arguments.append(Argument(found.group()))
        end = found.end()
    return CommandLine(tuple(arguments), (*spaces, line[end:]), tail)


def with_arguments(line: CommandLine, present: Mapping[str, Wanted], absent: Sequence[str] = ()) -> CommandLine:
    """The line with ``present`` set and ``absent`` removed; the same value if nothing has to change."""
    _refuse_contradictions(present, absent)
    arguments = [argument for argument in _kernel_part(line) if not any(argument.is_named(name) for name in absent)]
    for key, wanted in present.items():
        arguments = _set(arguments, key, wanted)
    arguments += line.arguments[len(_kernel_part(line)) :]
    changed = _with(line, arguments)
    if any(argument.text.count('"') % 2 for argument in line.arguments) and changed != line:
        raise InputError("The kernel command line has a quote that is never closed; close it first.")
    if line.values("root") and not changed.values("root"):
        raise InputError("Removing root= from the kernel command line would leave a machine that cannot boot.")
    return _on_one_line(changed)


def differs(line: CommandLine, running: str) -> bool | None:
    """Whether the running kernel was started with another command line; None where it cannot be told.

    The firmware puts arguments of its own before the file's, and a boot loader may add some after them, so the file's
    arguments must appear as one block. A kernel without the file's ``root=`` was not started from this file at all, as
    in a container.
    """
    ours = [argument.text for argument in line.arguments]
    theirs = [argument.text for argument in parse(running).arguments]
    roots = [argument.text for argument in line.arguments if argument.key == "root"]
    if not roots or not set(roots) <= set(theirs):
        return None
    return not any(theirs[start : start + len(ours)] == ours for start in range(len(theirs) - len(ours) + 1))


def _kernel_part(line: CommandLine) -> tuple[Argument, ...]:
    texts = [argument.text for argument in line.arguments]
    return line.arguments[: texts.index(_INIT_ARGUMENTS)] if _INIT_ARGUMENTS in texts else line.arguments


def _set(arguments: list[Argument], key: str, wanted: Wanted) -> list[Argument]:
    if isinstance(wanted, bool):
        if not wanted:
            raise InputError(f"The kernel argument '{key}' is given as false; name it under 'absent' to remove it.")
        return _set_only(arguments, _written(key, None))
    if isinstance(wanted, str):
        return _set_only(arguments, _written(key, wanted))
    for value in wanted:
        arguments = _set_among(arguments, _written(key, value))
    return arguments


def _set_only(arguments: list[Argument], wanted: Argument) -> list[Argument]:
    """One argument with this key, at the place of the last one, which is the one that the kernel heeds."""
    places = [index for index, argument in enumerate(arguments) if argument.key == wanted.key]
    if not places:
        return [*arguments, wanted]
    keeper = arguments[places[-1]] if arguments[places[-1]].value == wanted.value else wanted
    return [
        keeper if index == places[-1] else argument
        for index, argument in enumerate(arguments)
        if index == places[-1] or index not in places
    ]


def _set_among(arguments: list[Argument], wanted: Argument) -> list[Argument]:
    """This very argument once, beside others with the same key."""
    same = [
        index for index, argument in enumerate(arguments) if argument.is_named(wanted.text) and wanted.value is not None
    ]
    if not same:
        return [*arguments, wanted]
    return [argument for index, argument in enumerate(arguments) if index == same[0] or index not in same]


def _written(key: str, value: str | None) -> Argument:
    if not re.fullmatch(r'[^\s"=]+', key) or key == _INIT_ARGUMENTS:
        raise InputError(f"'{key}' is not the name of a kernel argument: it must be one word without quotes or '='.")
    if value is None:
        return Argument(key)
    if re.search(r'["\n\r]', value):
        raise InputError(f"The value of the kernel argument '{key}' must not hold quotes or line ends.")
    return Argument(f'{key}="{value}"' if re.search(r"\s", value) else f"{key}={value}")


def _refuse_contradictions(present: Mapping[str, Wanted], absent: Sequence[str]) -> None:
    spellings: dict[str, str] = {}
    for key in present:
        if spellings.setdefault(Argument(key).key, key) != key:
            raise InputError(
                f"'{spellings[Argument(key).key]}' and '{key}' are the same kernel argument; give it once."
            )
    for key, wanted in present.items():
        values = [None] if isinstance(wanted, bool) else [wanted] if isinstance(wanted, str) else list(wanted)
        for argument in (_written(key, value) for value in values):
            for name in absent:
                if argument.is_named(name):
                    raise InputError(
                        f"The kernel argument '{argument.text}' is both wanted and, as '{name}', not wanted."
                    )


def _with(line: CommandLine, arguments: Sequence[Argument]) -> CommandLine:
    """The same spacing for what stays, one space before what is new."""
    if tuple(arguments) == line.arguments:
        return line
    before = dict(zip(map(id, line.arguments), line.spaces, strict=False))
    spaces = [before.get(id(argument), " ") or " " for argument in arguments]
    leading = line.spaces[0] if line.arguments else ""
    return CommandLine(
        tuple(arguments), (leading, *spaces[1:], line.spaces[-1]) if arguments else (leading,), line.tail
    )


def _on_one_line(line: CommandLine) -> CommandLine:
    """Drop further lines that say nothing new; refuse those that somebody may have meant."""
    if not line.stray:
        return line
    lost = [argument.text for argument in line.stray if argument not in line.arguments]
    if lost:
        raise InputError(
            f"The command line file has arguments after its first line ({' '.join(lost)}), which the firmware ignores; "
            "move them to the first line or delete them.",
            ignored=lost,
        )
    ending = re.match(r"\r*\n", line.tail)
    return replace(line, tail=ending.group() if ending else "")
