# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import operator
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._package.version import Constraint, Version
from ansible_collections.hearth.cluster.tests.unit import fixtures
from hypothesis import given
from hypothesis import strategies as st

FILE = "semver_cases.yaml"


def suite(*names: str) -> Any:
    return lambda content: [case for name in names for case in content["suites"][f"masterminds/{name}"]]


@fixtures.each(FILE, suite("constraint_check", "constraint_check_single"))
def test_constraints(case: fixtures.Case) -> None:
    assert Constraint.parse(case["constraint"]).admits(Version.parse(case["version"])) is case["expected"]


@fixtures.each(FILE, suite("constraint_check_include_prerelease"))
def test_constraints_that_include_prereleases(case: fixtures.Case) -> None:
    fits = Constraint.parse(case["constraint"]).admits(Version.parse(case["version"]), prereleases=True)
    assert fits is case["expected"]


@fixtures.each(FILE, suite("constraint_parse"))
def test_reading_constraints(case: fixtures.Case) -> None:
    if not case["valid"]:
        with pytest.raises(InputError):
            Constraint.parse(case["constraint"])
        return
    alternatives = Constraint.parse(case["constraint"]).alternatives
    assert len(alternatives) == case.get("ors", len(alternatives))
    assert len(alternatives[0]) == case.get("count", len(alternatives[0]))


@fixtures.each(FILE, suite("constraint_string"))
def test_writing_constraints(case: fixtures.Case) -> None:
    assert str(Constraint.parse(case["constraint"])) == case["expected"]


@fixtures.each(FILE, suite("range_rewrite"))
def test_a_range_is_two_bounds(case: fixtures.Case) -> None:
    assert str(Constraint.parse(case["constraint"])) == str(Constraint.parse(case["expected"]))


def check_parse(case: fixtures.Case, parse: Any) -> None:
    if case["valid"]:
        assert isinstance(parse(case["version"]), Version)
        return
    with pytest.raises(InputError, match="is no version"):
        parse(case["version"])


@fixtures.each(FILE, suite("version_parse"))
def test_reading_versions(case: fixtures.Case) -> None:
    check_parse(case, Version.parse)


@fixtures.each(FILE, suite("version_parse_strictly_coerced_off"))
def test_reading_versions_without_leading_zeros(case: fixtures.Case) -> None:
    check_parse(case, lambda version: Version.parse(version, leading_zeros=False))


@fixtures.each(FILE, suite("version_strict_parse"))
def test_reading_strict_versions(case: fixtures.Case) -> None:
    check_parse(case, Version.parse_strict)


@fixtures.each(FILE, suite("version_coerce_string"))
def test_writing_versions(case: fixtures.Case) -> None:
    assert str(Version.parse(case["version"])) == case["expected"]


@fixtures.each(FILE, suite("compare"))
def test_comparing(case: fixtures.Case) -> None:
    one, other = Version.parse(case["v1"]), Version.parse(case["v2"])
    assert (one > other) - (one < other) == case["expected"]


COMPARISONS = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
}


@fixtures.each(FILE, suite("compare_ops"))
def test_comparison_operators(case: fixtures.Case) -> None:
    other = case["v2"] and Version.parse(case["v2"])
    assert COMPARISONS[case["op"]](Version.parse(case["v1"]), other) is case["expected"]


@fixtures.each(FILE, suite("inc"))
def test_the_next_version(case: fixtures.Case) -> None:
    version = Version.parse(case["version"])
    following = {"patch": version.next_patch, "minor": version.next_minor, "major": version.next_major}
    assert str(following[case["how"]]()) == case["expected"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.x.y", "version constraint '1.x.y' cannot be read from '1.x.y' on"),
        (">=1.2 || latest", "version constraint '>=1.2 || latest' cannot be read from 'latest' on"),
        (">=1.2 <", "version constraint '>=1.2 <' cannot be read from '<' on"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Constraint.parse(text)
    assert str(caught.value) == message


def test_calendar_versions_have_an_order() -> None:
    assert sorted(map(Version.parse, ["2026.07.2", "2025.11.1", "2026.10.0"])) == [
        Version(2025, 11, 1),
        Version(2026, 7, 2),
        Version(2026, 10),
    ]


NUMBERS = st.integers(0, 30)
NAMES = st.sampled_from(["", "alpha", "alpha.1", "rc.2", "rc.10", "1"])
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, NAMES)


@given(VERSIONS)
def test_what_is_written_is_read_again(version: Version) -> None:
    assert Version.parse(str(version)) == Version.parse_strict(str(version)) == version


@given(VERSIONS, VERSIONS)
def test_exactly_one_of_smaller_equal_greater(one: Version, other: Version) -> None:
    assert [one < other, one == other, one > other].count(True) == 1


@given(VERSIONS, VERSIONS)
def test_bounds_are_what_comparing_says(bound: Version, version: Version) -> None:
    def admits(sign: str) -> bool:
        return Constraint.parse(f"{sign}{bound}").admits(version, prereleases=True)

    assert admits(">") is (version > bound)
    assert admits("<=") is (version <= bound)
    assert admits("!=") is not admits("=")


@given(VERSIONS, VERSIONS)
def test_tilde_and_caret_stay_below_the_next_minor_and_major(bound: Version, version: Version) -> None:
    release = Version(bound.major, bound.minor, bound.patch)
    if release != Version(0) and Constraint.parse(f"~{release}").admits(version):
        assert release <= version < release.next_minor()
    if Constraint.parse(f"^{release}").admits(version):
        assert release <= version < release.next_major()


@given(st.text(alphabet="0123vx*.-+~^<>=!|, a", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        constraint = Constraint.parse(text)
    except InputError:
        return
    assert Constraint.parse(str(constraint)) == constraint
