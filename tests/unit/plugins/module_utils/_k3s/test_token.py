# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a token, and when two of them mean the same."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._k3s.token import Token

CA = "a" * 64
OTHER_CA = "b" * 64


@pytest.mark.parametrize(
    ("text", "password", "ca_hash"),
    [
        ("secret", "secret", ""),
        ("  secret\n", "secret", ""),
        (f"K10{CA}::server:secret\n", "secret", CA),
        (f"K10{CA}::node:sec:ret", "sec:ret", CA),
        (f"K10{CA}::abcdef.0123456789abcdef", "abcdef.0123456789abcdef", CA),
        ("K10tooshort::server:secret", "K10tooshort::server:secret", ""),
    ],
)
def test_every_form_is_taken_apart(text: str, password: str, ca_hash: str) -> None:
    token = Token.parse(text)
    assert (token.password, token.ca_hash) == (password, ca_hash)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("secret", f"K10{CA}::server:secret", True),
        (f"K10{CA}::server:secret", f"K10{CA}::node:secret", True),
        (f"K10{CA}::server:secret", f"K10{OTHER_CA}::server:secret", False),
        ("secret", "another", False),
    ],
)
def test_tokens_agree_if_both_open_the_same_cluster(one: str, other: str, agree: bool) -> None:
    assert Token.parse(one).agrees_with(Token.parse(other)) is agree


def test_no_representation_shows_the_password() -> None:
    assert "secret" not in repr(Token.parse(f"K10{CA}::server:secret"))


@pytest.mark.parametrize(
    "text", ["0123456789abcdef0123456789abcdef", "correct-horse+battery/staple", f"K10{CA}::server:pass:word"]
)
def test_what_can_become_a_token(text: str) -> None:
    assert Token.parse(text).problem() == ""


@pytest.mark.parametrize(
    "text", ["", "two words", "comma,comma", "a::b", 'quotation"mark', "K10tooshort", "abcdef.0123456789abcdef"]
)
def test_what_cannot_become_a_token(text: str) -> None:
    problem = Token.parse(text).problem()
    assert problem
    assert not text or text not in problem


def test_a_full_token_leads_to_the_same_cluster() -> None:
    token = Token.parse(Token("secret").full(CA))
    assert (token.password, token.ca_hash) == ("secret", CA)
