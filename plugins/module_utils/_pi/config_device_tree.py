# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Device tree parameters and overlays in config.txt.

The firmware gives a ``dtparam`` to the overlay loaded above it, and to the base device tree only where that overlay
does not know it, or where an empty ``dtoverlay=`` has ended the overlay's list. Which parameters an overlay knows is
not written in config.txt, so nothing here depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .._errors import InputError
from .config_edit import appended, inserted, refuse_included, replaced, without
from .config_txt import OVERLAY, PARAMETER, Line, Lines, State, covers, disjoint, open_overlays, states

Parameters: TypeAlias = "Mapping[str, str | None]"  # None stands for "not there"


def with_base_parameter(lines: Lines, state: State, key: str, value: str) -> Lines:
    """``dtparam=key=value`` as the last word on the base device tree's parameter.

    Any mention may reach the base, but only one where no overlay is open is sure to.
    """
    at = states(lines)
    mentions = [index for index, line in enumerate(lines) if covers(at[index], state) and key in dict(_items(line))]
    own = [index for index in mentions if at[index] == state and not lines[index].included]
    sure = [index for index in own if not open_overlays(lines[:index], state)]
    if sure and sure[-1] == mentions[-1]:
        items = dict(_items(lines[sure[-1]]))
        if items[key] != value:
            lines = replaced(lines, sure[-1], _parameters({**items, key: value}))
        return _without_item(lines, sure[:-1], key)
    lines = _without_item(lines, sure, key)
    text = _parameters({key: value})
    place = _place(lines, state) if mentions == sure else None
    return _appended_for_base(lines, state, text) if place is None else inserted(lines, place, text)


def _place(lines: Lines, state: State) -> int | None:
    """Where a parameter of the base reads best: with the others, or before the first overlay and its comment."""
    at = states(lines)
    beside = [index for index, line in enumerate(lines) if at[index] == state and _items(line) and not line.included]
    sure = [index for index in beside if not open_overlays(lines[:index], state)]
    if sure:
        return sure[-1] + 1
    first = next((index for index, line in enumerate(lines) if line.assignment and line.assignment[0] == OVERLAY), None)
    if first is None or at[first] != state or lines[first].included:
        return None
    while first and lines[first - 1].text.lstrip().startswith("#"):
        first -= 1
    return first


def _appended_for_base(lines: Lines, state: State, text: str) -> Lines:
    """At the end, after an empty dtoverlay if an overlay is open; as the first line of its kind it would stop HATs."""
    opened = open_overlays(lines, state)
    heeded = [line for line, at in zip(lines, states(lines), strict=False) if covers(at, state)]
    if opened and any(line.assignment and line.assignment[0] in {OVERLAY, PARAMETER} for line in heeded):
        opened = [state]
    for other in opened:
        lines = appended(lines, other, f"{OVERLAY}=")
    return appended(lines, state, text)


def without_parameter(lines: Lines, state: State, key: str) -> Lines:
    """No ``dtparam`` of that name under the filter, whichever tree it was for."""
    given = [index for index, at in enumerate(states(lines)[:-1]) if at == state and key in dict(_items(lines[index]))]
    refuse_included([lines[index] for index in given], f"{PARAMETER}={key}")
    return _without_item(lines, given, key)


def with_overlay(lines: Lines, state: State, name: str, parameters: Parameters) -> Lines:
    """The overlay loaded under the filter or a wider one with these parameters; its other parameters stay."""
    at = states(lines)
    loads = [index for index in _loads(lines, name) if covers(at[index], state)]
    if any(_satisfied(_given(lines, index), parameters) for index in loads):
        return lines
    own = [index for index in loads if at[index] == state]
    if not own:
        return appended(lines, state, _load(name, parameters))
    if len(own) > 1:
        raise InputError(
            f"config.txt loads the overlay '{name}' {len(own)} times under one filter, so it cannot be told "
            "which one to change; leave one of them."
        )
    return _with_parameters(lines, own[0], name, parameters)


def without_overlay(lines: Lines, state: State, name: str) -> Lines:
    """The overlay not loaded under the filter; parameters below it stay and do not pass to the overlay above."""
    for index in reversed([index for index in _loads(lines, name) if states(lines)[index] == state]):
        refuse_included([lines[index]], f"{OVERLAY}={name}")
        if _followers(lines, index) and open_overlays(lines[:index], state):
            lines = replaced(lines, index, f"{OVERLAY}=")
        else:
            lines = without(lines, [index])
    return lines


def _items(line: Line) -> list[tuple[str, str]]:
    """The parameters of a dtparam line; one without a value is on."""
    if line.assignment is None or line.assignment[0] != PARAMETER:
        return []
    return _split(line.assignment[1])


def _split(text: str) -> list[tuple[str, str]]:
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    return [(key.strip(), value.strip() if separator else "on") for key, separator, value in pairs]


def _joined(items: Parameters) -> list[str]:
    return [f"{key}={value}" for key, value in items.items() if value is not None]


def _parameters(items: Parameters) -> str:
    return f"{PARAMETER}={','.join(_joined(items))}"


def _load(name: str, items: Parameters) -> str:
    return f"{OVERLAY}={','.join((name, *_joined(items)))}"


def _without_item(lines: Lines, indices: Sequence[int], key: str) -> Lines:
    for index in reversed(indices):
        rest = {name: value for name, value in _items(lines[index]) if name != key}
        lines = replaced(lines, index, _parameters(rest)) if rest else without(lines, [index])
    return lines


def _loads(lines: Lines, name: str) -> list[int]:
    return [index for index, line in enumerate(lines) if _overlay(line)[0] == name]


def _overlay(line: Line) -> tuple[str, str]:
    """Name and parameters of an overlay that the line loads; empty where it loads none."""
    if line.assignment is None or line.assignment[0] != OVERLAY:
        return "", ""
    # Old files separate the parameters by a colon.
    name, _comma, parameters = line.assignment[1].replace(":", ",", 1).partition(",")
    return name.strip(), parameters


def _followers(lines: Lines, index: int) -> list[int]:
    """The dtparam lines that the firmware offers to the overlay loaded at ``index``."""
    at, found = states(lines), []
    for below in range(index + 1, len(lines)):
        if disjoint(at[below], at[index]):
            continue
        assignment = lines[below].assignment
        if assignment and assignment[0] == OVERLAY:
            break
        if _items(lines[below]):
            found.append(below)
    return found


def _given(lines: Lines, index: int) -> dict[str, str]:
    given = dict(_split(_overlay(lines[index])[1]))
    for follower in _followers(lines, index):
        given.update(_items(lines[follower]))
    return given


def _satisfied(given: Mapping[str, str], parameters: Parameters) -> bool:
    return all(given.get(key) == value for key, value in parameters.items())


def _with_parameters(lines: Lines, index: int, name: str, parameters: Parameters) -> Lines:
    """Write the parameters into the overlay's own line, and take them out of the lines below that would overrule it."""
    for key in parameters:
        followers = [below for below in _followers(lines, index) if key in dict(_items(lines[below]))]
        refuse_included([lines[below] for below in followers], key)
        lines = _without_item(lines, followers, key)
    return replaced(lines, index, _load(name, {**dict(_split(_overlay(lines[index])[1])), **parameters}))
