# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._package.package import read_packages

SOURCE = {"directory": "x"}


def package(**options: Any) -> dict[str, Any]:
    return {"name": "a", "source": SOURCE, **options}


def test_a_package_needs_a_name_and_a_source() -> None:
    (read,) = read_packages([package()])
    assert (read.name, str(read.source), read.wait, read.prune) == ("a", "directory x", True, True)


def test_what_jinja_makes_text_of_is_read_as_what_was_meant() -> None:
    (read,) = read_packages(
        [package(wait="false", wait_timeout="20", replicas={"web": "2"}, labels={"n": 1, "b": True})]
    )
    assert (read.wait, read.wait_timeout, read.replicas, read.labels) == (
        False,
        20,
        {"web": 2},
        {"n": "1", "b": "true"},
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (package(namspace="x"), r"package a: there is no option 'namspace'; did you mean namespace or name\?"),
        (package(source={"directroy": "x"}), r"source names directroy; .* did you mean directory\?"),
        (package(source={"directory": "x", "inline": "y"}), r"must name exactly one of directory, git, .*, oci, url"),
        (package(source={"directory": "x", "filse": []}), r"there is no option 'filse'; did you mean files\?"),
        ({"name": "a"}, r"package a: source is missing"),
        ({"source": SOURCE}, r"packages\[0\]: name is missing"),
        ("a", r"packages\[0\] must be a mapping of options, not text"),
        (package(name="A b"), r"name is 'A b'; a package is named with small letters"),
        (package(wait="maybe"), r"wait must be true or false"),
        (package(replicas={"web": "two"}), r"replicas\.web must be a whole number"),
        (package(state="gone"), r"state is 'gone', must be one of present, absent"),
        (
            package(patches=[{"merge": {}, "remove": True}]),
            r"patches\[0\]: must have exactly one of .* has merge, remove",
        ),
        (package(patches=[{"merge": {"spec": {}}}]), r"patches\[0\]: target is missing"),
        (package(patches=[{"target": {"name": "("}, "remove": True}]), r"'\(' is no regular expression"),
        (
            package(patches=[{"target": {"kidn": "x"}, "remove": True}]),
            r"target: there is no option 'kidn'; did you mean kind",
        ),
        (package(patches=[{"target": {"labels": "a=="}, "set": {}, "where": "a["}]), r"JMESPath|selector"),
        (package(patches=[{"where": "a[", "set": {"a": 1}}]), r"where: 'a\[' is no JMESPath expression"),
        (package(config_maps=[{"name": "x"}]), r"config_maps\[0\]: files or values is missing"),
        (package(depends_on=["b"]), r"depends_on names 'b', which is no package"),
    ],
)
def test_every_mistake_is_told_with_its_place(content: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_packages([content])


def test_packages_come_behind_those_they_depend_on() -> None:
    read = read_packages(
        [package(name="a", depends_on=["c"]), package(name="b"), package(name="c", depends_on="d"), package(name="d")]
    )
    assert [each.name for each in read] == ["d", "c", "a", "b"]


def test_a_circle_is_told_as_a_circle() -> None:
    circle = [
        package(name="a", depends_on=["b"]),
        package(name="b", depends_on=["c"]),
        package(name="c", depends_on=["b"]),
    ]
    with pytest.raises(InputError, match="b -> c -> b"):
        read_packages(circle)


def test_one_name_twice_is_refused() -> None:
    with pytest.raises(InputError, match="package a is listed twice"):
        read_packages([package(), package()])


def test_only_some_are_looked_at_but_all_are_checked() -> None:
    assert [each.name for each in read_packages([package(), package(name="b")], only=["b"])] == ["b"]
    with pytest.raises(InputError, match=r"no package is named 'blgo'; did you mean blog\?"):
        read_packages([package(name="blog")], only=["blgo"])
    with pytest.raises(InputError, match="there is no option"):
        read_packages([package(wiat=True), package(name="b")], only=["b"])
