# SPDX-License-Identifier: GPL-3.0-or-later
"""The one rule about tests that a machine cannot run: a person is told, CI fails."""

from __future__ import annotations

import pytest

from tests.conftest import unavailable


def test_a_person_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Go"):
        unavailable("no Go")


def test_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must be able to run this test: no Go"):
        unavailable("no Go")
