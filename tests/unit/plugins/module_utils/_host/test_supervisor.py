# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling a server the new token with one that it accepts. That k3s answers so is shown by the end-to-end tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HostError
from ansible_collections.hearth.cluster.plugins.module_utils._host.supervisor import Supervisor
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.token import Token

ON_DISK = [Token("first-hidden"), Token("second-hidden")]


class Answers:
    """A server that was started with one token, and what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, accepted: str, status: int = 200) -> None:
        self.accepted, self.status = accepted, status
        self.asked: list[tuple[str, str]] = []
        monkeypatch.setattr(Supervisor, "_put", lambda _self, token, body: self.put(token, body))

    def put(self, token: Token, body: str) -> tuple[int, str]:
        self.asked.append((token.password, json.loads(body)["newToken"]))
        return (self.status, "token error ID 123") if token.password == self.accepted else (401, "not authorized")


def change() -> None:
    Supervisor(6443, Path("/does/not/exist")).change_token(ON_DISK, Token("new-hidden"))


def test_the_token_that_k3s_was_started_with_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, "first-hidden")
    change()
    assert answers.asked == [("first-hidden", "new-hidden")]


def test_then_the_one_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(monkeypatch, "second-hidden")
    change()
    assert len(answers.asked) == 2


@pytest.mark.parametrize(
    ("accepted", "status", "words"),
    [
        ("first-hidden", 500, ["token error ID 123", "nothing was restarted"]),
        ("other", 200, ["knows none", "not authorized"]),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, accepted: str, status: int, words: list[str]
) -> None:
    Answers(monkeypatch, accepted, status)
    with pytest.raises(HostError) as caught:
        change()
    assert all(word in str(caught.value) for word in [*words, "restart k3s"])
    assert "hidden" not in str(caught.value)


def test_a_server_that_does_not_run_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="does not answer at port 1"):
        Supervisor(1, tmp_path / "none.crt").change_token(ON_DISK, Token("new-hidden"))
