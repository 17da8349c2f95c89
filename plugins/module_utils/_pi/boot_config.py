# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. From what an operator wants of the boot files to their new texts, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import HostError, InputError
from .command_line import Wanted, differs, with_arguments
from .command_line import parse as parse_command_line
from .config_change import Section, with_sections
from .config_txt import EVERYTHING, described, includes, parse, render, states

CONFIG = "config.txt"
COMMAND_LINE = "cmdline.txt"


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator wants; an empty part of it is not managed."""

    present: Mapping[str, Wanted] = field(default_factory=dict)
    absent: Sequence[str] = ()
    sections: Sequence[Section] = ()

    @classmethod
    def from_params(cls, command_line: Mapping[str, Any] | None, config: Sequence[Mapping[str, Any]] | None) -> Request:
        line = command_line or {}
        return cls(
            present={str(key): _argument(key, value) for key, value in (line.get("present") or {}).items()},
            absent=tuple(line.get("absent") or ()),
            sections=tuple(_section(entry) for entry in config or ()),
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """The boot files as they are; None for one that does not exist."""

    config: str | None
    command_line: str | None
    command_line_name: str = COMMAND_LINE
    included: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileChange:
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def diff(self, where: str) -> dict[str, str]:
        """One setting or argument a line, so that a person sees what changes and not where it stands."""
        said = _config_said if self.name == CONFIG else _command_line_said
        header = f"{where}/{self.name}"
        return {
            "before_header": header,
            "after_header": header,
            "before": said(self.before),
            "after": said(self.after),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The files that are managed, as they are and as they shall be."""

    files: tuple[FileChange, ...]

    @property
    def changes(self) -> tuple[FileChange, ...]:
        return tuple(file for file in self.files if file.changed)


def plan(texts: Texts, request: Request) -> Plan:
    files = []
    if texts.command_line is not None:
        line = parse_command_line(texts.command_line)
        after = with_arguments(line, request.present, request.absent).render()
        files.append(FileChange(texts.command_line_name, texts.command_line, after))
    elif request.present or request.absent:
        raise HostError(
            f"The boot partition has no {texts.command_line_name}; a new one would lack the root file system, "
            "so restore it first."
        )
    if texts.config is not None or request.sections:
        lines = parse(texts.config or "", texts.included)
        files.append(FileChange(CONFIG, texts.config or "", render(with_sections(lines, request.sections))))
    return Plan(tuple(files))


def check_request(request: Request) -> None:
    """Refuse what is wrong with the wishes themselves, whatever the files say."""
    plan(Texts("", ""), request)


def texts_from(read: Callable[[str], str | None]) -> Texts:
    """``read`` gives the text of a file of the partition, None for one that is not there."""
    config = read(CONFIG)
    included = _included(config or "", read)
    names = command_line_names(config or "", included)
    for name in names:
        text = read(name)
        if text is not None:
            return Texts(config, text, name, included)
    return Texts(config, None, names[-1], included)


def _included(config: str, read: Callable[[str], str | None]) -> dict[str, str]:
    texts: dict[str, str] = {}
    waiting = list(includes(config))
    while waiting:
        name = waiting.pop()
        text = read(name) if name not in texts else None
        if text is not None:
            texts[name] = text
            waiting += includes(text)
    return texts


def command_line_names(config: str, included: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Where the firmware looks for the kernel command line, best first: config.txt can move it."""
    lines = parse(config, included)
    values = {
        line.assignment[0]: line.assignment[1]
        for line, state in zip(lines, states(lines), strict=False)
        if line.assignment and state == EVERYTHING
    }
    name = values.get("cmdline") or COMMAND_LINE
    return tuple(dict.fromkeys((values.get("os_prefix", "") + name, name)))


def reboot_needed(plan: Plan, request: Request, running: str, changed_since_boot: Mapping[str, bool]) -> bool:
    """Whether the running kernel was started with anything but what the files say now."""
    return any(
        changed_since_boot[file.name]
        if file.name == CONFIG
        else _command_line_needs(file, request, running, changed_since_boot[file.name])
        for file in plan.files
    )


def _command_line_needs(file: FileChange, request: Request, running: str, changed_since_boot: bool) -> bool:
    line = parse_command_line(file.after)
    verdict = differs(line, running)
    if verdict:
        return True
    # An argument that shall be absent and still runs is the firmware's own, unless the file changed since the start.
    lingering = any(
        argument.is_named(name) and argument not in line.arguments
        for argument in parse_command_line(running).arguments
        for name in request.absent
    )
    return changed_since_boot and (verdict is None or lingering)


def _command_line_said(text: str) -> str:
    return "".join(f"{argument.text}\n" for argument in parse_command_line(text).arguments)


def _config_said(text: str) -> str:
    return described(parse(text))


def _argument(key: Any, value: Any) -> Wanted:
    if value is None or value is True:
        return True
    if isinstance(value, (list, tuple)):
        return [_text(f"the kernel argument '{key}'", one) for one in value]
    return _text(f"the kernel argument '{key}'", value) if value is not False else False


def _section(entry: Mapping[str, Any]) -> Section:
    name = str(entry.get("filter") or "all")
    return Section(
        filter=name,
        settings=_values(entry.get("settings"), ("0", "1")),
        device_tree=_values(entry.get("device_tree"), ("off", "on")),
        overlays={
            str(overlay): None if parameters is None else _values(_mapping(overlay, parameters), ("off", "on"))
            for overlay, parameters in (entry.get("overlays") or {}).items()
        },
    )


def _values(values: Mapping[str, Any] | None, truth: tuple[str, str]) -> dict[str, str | None]:
    return {
        str(key): None if value is None else truth[value] if isinstance(value, bool) else _text(f"'{key}'", value)
        for key, value in (values or {}).items()
    }


def _mapping(name: Any, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"Give the overlay '{name}' a mapping of its parameters, {{}} for none, or null to unload it.")
    return value


def _text(what: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError(f"The value of {what} must be a string or a number, not {value!r}.")
    return str(value)
