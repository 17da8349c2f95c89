# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of files as one change."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._files.plan import Live, State, Wanted, changes

FILE = Live(State.FILE, b"old\n", 0o644, 0, 0, 1.0)


def wanted(content: bytes = b"old\n", **differences: object) -> Wanted:
    return Wanted("/f", State.FILE, content, **differences)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "live", "needed"),
    [
        (wanted(), FILE, False),
        (wanted(b"new\n"), FILE, True),
        (wanted(mode=0o644), FILE, False),
        (wanted(mode=0o600), FILE, True),
        (wanted(owner=5), FILE, True),
        (wanted(), Live(State.ABSENT), True),
        (Wanted("/f", State.ABSENT), FILE, True),
        (Wanted("/f", State.ABSENT), Live(State.ABSENT), False),
        (Wanted("/f", State.DIRECTORY, mode=0o700), Live(State.DIRECTORY, mode=0o700), False),
    ],
)
def test_only_what_differs_is_changed(one: Wanted, live: Live, needed: bool) -> None:
    assert bool(changes([one], {"/f": live})) is needed


def test_the_difference_shows_the_text() -> None:
    diff = changes([wanted(b"new\n")], {"/f": FILE})[0].diff()
    assert (diff["before"], diff["after"]) == ("old\n", "new\n")


def test_the_difference_never_shows_a_secret() -> None:
    diff = changes([wanted(b"new-secret\n", secret=True)], {"/f": FILE})[0].diff()
    assert "secret" not in diff["after"]
    assert "old" not in diff["before"]
    assert diff["before"] != diff["after"]


def test_no_representation_shows_the_content() -> None:
    assert "old" not in repr(wanted()) + repr(FILE)


@pytest.mark.parametrize(
    ("one", "live"),
    [
        (wanted(), Live(State.DIRECTORY)),
        (Wanted("/f", State.DIRECTORY), FILE),
        (wanted(), Live(None)),
    ],
)
def test_what_is_something_else_is_never_replaced(one: Wanted, live: Live) -> None:
    with pytest.raises(InputError, match="/f is"):
        changes([one], {"/f": live})


def test_a_path_named_twice_is_an_error() -> None:
    with pytest.raises(InputError, match="more than once"):
        changes([wanted(), wanted(b"x")], {"/f": FILE})


def test_what_holds_nothing_but_mounts_is_as_absent_as_it_can_be() -> None:
    assert not changes([Wanted("/f", State.ABSENT)], {"/f": Live(State.DIRECTORY, only_mounts=True)})


def test_the_difference_does_not_show_what_is_no_text() -> None:
    diff = changes([Wanted("/f", State.ABSENT)], {"/f": Live(State.FILE, b"\x7fELF\0\0")})[0].diff()
    assert diff["before"] == "(the content is no text)\n"
