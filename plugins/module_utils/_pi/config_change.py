# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Change what config.txt says without touching what nobody asked about.

A setting is in order when the last line that could decide it, under its own filter or a wider one, is its own and says
the right thing. If not, its own lines are taken out and it is written at the end of the file, in a section of its
filter. So the second run finds everything in order, whatever the file looked like, and no marker lines are needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .._errors import InputError
from .config_device_tree import Parameters, with_base_parameter, with_overlay, without_overlay, without_parameter
from .config_edit import appended, refuse_included, replaced, without
from .config_txt import (
    ALL,
    LONGEST_LINE,
    OVERLAY,
    PARAMETER,
    Lines,
    State,
    breadth,
    covers,
    is_filter,
    state_of,
    states,
)


@dataclass(frozen=True, slots=True)
class Section:
    """What shall hold under one filter; None stands for "not there"."""

    filter: str = ALL
    settings: Mapping[str, str | None] = field(default_factory=dict)
    device_tree: Parameters = field(default_factory=dict)
    overlays: Mapping[str, Parameters | None] = field(default_factory=dict)


def with_sections(lines: Lines, sections: Sequence[Section]) -> Lines:
    """The lines with all sections in force; the same value if nothing has to change."""
    for section in sections:
        _validate(section)
    _refuse_twice(sections)
    # A narrow filter's line must come after a wide one's to decide; the base's parameters read best before any overlay.
    ordered = sorted(sections, key=lambda section: breadth(section.filter))
    for step in (_unload_overlays, _settings, _device_tree, _load_overlays):
        for section in ordered:
            lines = step(lines, section)
    return lines


def _settings(lines: Lines, section: Section) -> Lines:
    for key, value in section.settings.items():
        lines = _with_setting(lines, state_of(section.filter), key, value)
    return lines


def _with_setting(lines: Lines, state: State, key: str, value: str | None) -> Lines:
    at = states(lines)
    heeded = [
        index
        for index, line in enumerate(lines)
        if line.assignment and line.assignment[0] == key and covers(at[index], state)
    ]
    own = [index for index in heeded if at[index] == state and not lines[index].included]
    if value is None:
        refuse_included([lines[index] for index in heeded if at[index] == state], key)
        return without(lines, own)
    text = f"{key}={value}"
    if not own or own[-1] != heeded[-1]:
        return appended(without(lines, own), state, text)
    if lines[own[-1]].text.strip() != text:
        lines = replaced(lines, own[-1], text)
    return without(lines, own[:-1])


def _device_tree(lines: Lines, section: Section) -> Lines:
    state = state_of(section.filter)
    for key, value in section.device_tree.items():
        lines = without_parameter(lines, state, key) if value is None else with_base_parameter(lines, state, key, value)
    return lines


def _unload_overlays(lines: Lines, section: Section) -> Lines:
    for name, parameters in section.overlays.items():
        if parameters is None:
            lines = without_overlay(lines, state_of(section.filter), name)
    return lines


def _load_overlays(lines: Lines, section: Section) -> Lines:
    for name, parameters in section.overlays.items():
        if parameters is not None:
            lines = with_overlay(lines, state_of(section.filter), name, parameters)
    return lines


def _refuse_twice(sections: Sequence[Section]) -> None:
    filters = [section.filter for section in sections]
    for name in filters:
        if filters.count(name) > 1:
            raise InputError(f"The filter '{name}' is given twice for config.txt; put its settings together.")


def _validate(section: Section) -> None:
    if not is_filter(section.filter):
        raise InputError(
            f"config.txt has no filter '[{section.filter}]'; write 'all', a model such as 'pi5', or 'kind=value'."
        )
    for key, value in section.settings.items():
        if key in {OVERLAY, PARAMETER}:
            raise InputError(f"Give '{key}' of config.txt under 'overlays' or 'device_tree', not under 'settings'.")
        _validate_pair(key, value, r"[A-Za-z0-9_.]+(:[0-9]+)?", r"[^\r\n]*", f"{key}={value}")
    for key, value in section.device_tree.items():
        _validate_pair(key, value, _NAME, _VALUE, f"{PARAMETER}={key}={value}")
    for name, parameters in section.overlays.items():
        items = [f"{key}={value}" for key, value in (parameters or {}).items()]
        _validate_pair(name, "", _NAME, _VALUE, f"{OVERLAY}={','.join((name, *items))}")
        for key, value in (parameters or {}).items():
            _validate_pair(key, value, _NAME, _VALUE, "")


_NAME = r"[A-Za-z0-9_.+-]+"
_VALUE = r"[^\s,]*"


def _validate_pair(key: str, value: str | None, key_form: str, value_form: str, line: str) -> None:
    if not re.fullmatch(key_form, key):
        raise InputError(f"'{key}' cannot be a name in config.txt.")
    if value is None:
        return
    if not re.fullmatch(value_form, value) or value != value.strip():
        raise InputError(f"The value {value!r} of '{key}' cannot be written in config.txt.")
    if len(line) > LONGEST_LINE:
        raise InputError(f"'{line}' is longer than the {LONGEST_LINE} characters that the firmware reads of a line.")
