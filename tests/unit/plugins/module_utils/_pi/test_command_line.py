# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel command line as a value: what is managed changes, every other byte stays."""

from __future__ import annotations

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.command_line import (
    Wanted,
    differs,
    parse,
    with_arguments,
)
from hypothesis import given
from hypothesis import strategies as st

TRIXIE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait resize\n"
)
CGROUP: dict[str, Wanted] = {"cgroup_enable": ["memory"]}


def changed(text: str, present: dict[str, Wanted] | None = None, absent: list[str] | None = None) -> str:
    return with_arguments(parse(text), present or {}, absent or []).render()


@pytest.mark.parametrize(
    ("before", "present", "absent", "after"),
    [
        pytest.param(
            TRIXIE, CGROUP, [], TRIXIE.replace("resize", "resize cgroup_enable=memory"), id="added at the end"
        ),
        pytest.param("a root=x\n", CGROUP, [], "a root=x cgroup_enable=memory\n", id="newline stays at the end"),
        pytest.param("a root=x", CGROUP, [], "a root=x cgroup_enable=memory", id="missing final newline stays missing"),
        pytest.param(
            "a root=x\r\n", CGROUP, [], "a root=x cgroup_enable=memory\r\n", id="Windows line end stays the last thing"
        ),
        pytest.param("a root=x \n", CGROUP, [], "a root=x cgroup_enable=memory \n", id="trailing space"),
        pytest.param("", CGROUP, [], "cgroup_enable=memory", id="empty file"),
        pytest.param("  a  b\tc\n", {"d": True}, ["b"], "  a\tc d\n", id="spacing of what stays"),
        pytest.param(
            "a cgroup_memory=1 b\n", {}, ["cgroup_memory"], "a b\n", id="obsolete argument removed by its key"
        ),
        pytest.param(
            "console=tty1 console=ttyS0\n", {}, ["console=ttyS0"], "console=tty1\n", id="one of several by its value"
        ),
        pytest.param(
            "console=tty1 a\n",
            {"console": ["ttyS0,115200"]},
            [],
            "console=tty1 a console=ttyS0,115200\n",
            id="one more",
        ),
        pytest.param("loglevel=1 a loglevel=7\n", {"loglevel": "3"}, [], "a loglevel=3\n", id="the key has one value"),
        pytest.param("rootdelay=5 a\n", {"rootdelay": "5"}, [], "rootdelay=5 a\n", id="already so"),
        pytest.param(
            "a init=/bin/x -- single\n", {"quiet": True}, [], "a init=/bin/x quiet -- single\n", id="before init's own"
        ),
        pytest.param(
            'dyndbg="file a.c +p" b\n',
            {"c": True},
            [],
            'dyndbg="file a.c +p" b c\n',
            id="a quoted space is no separator",
        ),
        pytest.param(
            "a\n", {"dyndbg": "file a.c +p"}, [], 'a dyndbg="file a.c +p"\n', id="a value with spaces is quoted"
        ),
        pytest.param("a b\n", {}, ["a", "b"], "\n", id="nothing left"),
    ],
)
def test_only_what_is_asked_for_changes(before: str, present: dict[str, Wanted], absent: list[str], after: str) -> None:
    assert changed(before, present, absent) == after
    assert changed(after, present, absent) == after


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(
            "cgroup_enable=memory console=tty1 cgroup_memory=1 root=x\n", id="arguments that are not neighbours"
        ),
        pytest.param("root=x cgroup_enable=cpuset cgroup_enable=memory\n", id="beside another value of the same key"),
        pytest.param("cgroup-enable=memory root=x\n", id="a dash is an underscore"),
    ],
)
def test_an_argument_that_is_there_is_not_added_again(before: str) -> None:
    assert changed(before, CGROUP) == before


def test_duplicates_left_by_other_tools_become_one() -> None:
    assert changed("cgroup_enable=memory root=x cgroup_enable=memory\n", CGROUP) == "cgroup_enable=memory root=x\n"


def test_a_name_that_only_begins_alike_is_another_argument() -> None:
    assert changed("rootwait rootfstype=ext4 root=x\n", {}, ["rootfs"]) == "rootwait rootfstype=ext4 root=x\n"
    assert (
        changed("cgroup_enable=memory_hot root=x\n", CGROUP) == "cgroup_enable=memory_hot root=x cgroup_enable=memory\n"
    )


def test_the_token_of_cloud_init_stays() -> None:
    before = "root=x rootwait ds=nocloud;i=pi1-2f4c\n"
    assert changed(before, CGROUP) == "root=x rootwait ds=nocloud;i=pi1-2f4c cgroup_enable=memory\n"


def test_arguments_that_another_tool_appended_as_a_second_line_are_moved_to_the_first() -> None:
    assert changed("root=x rootwait\ncgroup_enable=memory\n", CGROUP) == "root=x rootwait cgroup_enable=memory\n"


def test_a_second_line_that_somebody_may_have_meant_is_refused() -> None:
    with pytest.raises(InputError, match=r"after its first line \(root=old quiet\)"):
        changed("root=x rootwait\nroot=old quiet\n", CGROUP)


def test_empty_lines_at_the_end_are_left_alone() -> None:
    assert changed("root=x\n\n", CGROUP) == "root=x cgroup_enable=memory\n\n"


@pytest.mark.parametrize(
    ("present", "absent", "message"),
    [
        ({"quiet": True}, ["quiet"], "both wanted and"),
        ({"console": ["tty1"]}, ["console"], "both wanted and"),
        ({"two words": True}, [], "not the name of a kernel argument"),
        ({"a=b": "c"}, [], "not the name of a kernel argument"),
        ({"--": True}, [], "not the name of a kernel argument"),
        ({"a": "b\nc"}, [], "must not hold"),
        ({"quiet": False}, [], "under 'absent'"),
        ({}, ["root"], "cannot boot"),
    ],
)
def test_wrong_input_is_refused(present: dict[str, Wanted], absent: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(TRIXIE, present, absent)


@pytest.mark.parametrize(
    ("file", "running", "verdict"),
    [
        pytest.param(
            "console=tty1 root=x",
            "coherent_pool=1M cgroup_disable=memory console=tty1 root=x",
            False,
            id="firmware's first",
        ),
        pytest.param("console=tty1 root=x", "console=tty1 root=x initrd=y", False, id="boot loader's after"),
        pytest.param(
            "console=tty1 root=x cgroup_enable=memory", "m=1 console=tty1 root=x", True, id="not yet booted with it"
        ),
        pytest.param("root=x quiet", "quiet root=x", True, id="another order"),
        pytest.param("root=x quiet", "root=UUID=host ro", None, id="a kernel that another file started"),
        pytest.param("quiet", "quiet", None, id="a file that names no root"),
    ],
)
def test_the_running_kernel_is_compared_with_the_file(file: str, running: str, verdict: bool | None) -> None:
    assert differs(parse(file + "\n"), running + "\n") is verdict


words = st.text(alphabet='ab=-_".,;é', min_size=1, max_size=6)
lines = st.lists(st.one_of(words, st.sampled_from([" ", "  ", "\t", "\r", "root=x", "console=tty1", "--"]))).map(
    " ".join
)
files = st.one_of(st.text(), st.lists(lines).map("\n".join), st.lists(lines).map("\r\n".join))
names = st.text(alphabet="abc_-", min_size=1, max_size=3).filter(lambda name: name != "--")
wanted = st.dictionaries(
    names,
    st.one_of(
        st.just(True), st.text(alphabet="ab 1,", max_size=4), st.lists(st.text(alphabet="ab1", max_size=3), max_size=3)
    ),
)


@given(files)
def test_parse_and_render_give_the_same_text(text: str) -> None:
    assert parse(text).render() == text


@given(files, wanted, st.lists(names))
def test_applied_twice_is_applied_once(text: str, present: dict[str, Wanted], absent: list[str]) -> None:
    try:
        once = changed(text, present, absent)
    except InputError:
        return
    assert changed(once, present, absent) == once


@given(st.lists(words, max_size=6).map(" ".join), wanted)
def test_arguments_that_are_not_named_stay_in_their_order(text: str, present: dict[str, Wanted]) -> None:
    try:
        after = with_arguments(parse(text), present)
    except InputError:
        return
    keys = {name.replace("-", "_") for name in present}
    assert [a.text for a in after.arguments if a.key not in keys] == [
        a.text for a in parse(text).arguments if a.key not in keys
    ]
