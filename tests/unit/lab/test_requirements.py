# SPDX-License-Identifier: GPL-3.0-or-later
"""What is missing is told at once, with the command that brings it."""

from __future__ import annotations

import pytest

from tests.lab.errors import LabError
from tests.lab.requirements import ROOT, Requirement, command, missing, require


def absent(name: str, *packages: str, remedy: str = "") -> Requirement:
    return Requirement(name, lambda: False, packages, remedy)


def test_one_message_names_everything_that_is_missing_and_one_command_for_it() -> None:
    with pytest.raises(LabError) as told:
        require(
            [
                absent("nft", "nftables"),
                absent("ip", "iproute2"),
                absent("ssh", "openssh-client"),
                command("sh", "dash"),
            ]
        )
    assert str(told.value).splitlines() == [
        "this machine cannot run the lab; missing: nft, ip, ssh",
        "install with: apt-get install --yes iproute2 nftables openssh-client",
    ]


def test_what_apt_cannot_bring_has_a_remedy() -> None:
    with pytest.raises(LabError, match="as root, for example with sudo"):
        require([absent(ROOT.name, remedy=ROOT.remedy)])


def test_a_command_is_found_where_a_plain_user_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert missing([command("ldconfig")]) == []
    assert [requirement.name for requirement in missing([command("no-such-program")])] == [
        "the command no-such-program"
    ]
