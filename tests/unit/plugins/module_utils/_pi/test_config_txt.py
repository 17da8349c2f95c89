# SPDX-License-Identifier: GPL-3.0-or-later
"""config.txt: what is asked for holds, in the section where it belongs, and every other byte stays."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.config_change import Section, with_sections
from ansible_collections.hearth.cluster.plugins.module_utils._pi.config_txt import (
    covers,
    described,
    disjoint,
    includes,
    parse,
    render,
    state_of,
    states,
)
from hypothesis import given
from hypothesis import strategies as st

STOCK = """\
# For more options and information see
# http://rptl.io/configtxt
#dtparam=i2c_arm=on
dtparam=audio=on
camera_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
arm_64bit=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[all]
"""
NEWER = STOCK.replace("[all]\n", "[pi5]\ndtoverlay=nospi10\n\n[all]\n")


def changed(text: str, *sections: Section, included: Mapping[str, str] | None = None) -> str:
    return render(with_sections(parse(text, included), sections))


def everything(**settings: str | None) -> Section:
    return Section(settings=settings)


@pytest.mark.parametrize(
    ("before", "section", "after"),
    [
        pytest.param("", everything(gpu_mem="16"), "gpu_mem=16\n", id="empty file"),
        pytest.param("a=1", everything(gpu_mem="16"), "a=1\ngpu_mem=16\n", id="missing final newline"),
        pytest.param("a=1\r\n", everything(gpu_mem="16"), "a=1\r\ngpu_mem=16\r\n", id="Windows line ends"),
        pytest.param("gpu_mem=64\na=1\n", everything(gpu_mem="16"), "gpu_mem=16\na=1\n", id="changed where it stands"),
        pytest.param("  gpu_mem=16\n", everything(gpu_mem="16"), "  gpu_mem=16\n", id="indented and right"),
        pytest.param("gpu_mem = 16\n", everything(gpu_mem="16"), "gpu_mem=16\n", id="spaces around the sign"),
        pytest.param(
            "#gpu_mem=16\n", everything(gpu_mem="16"), "#gpu_mem=16\ngpu_mem=16\n", id="a comment is no setting"
        ),
        pytest.param("gpu_mem=1\ngpu_mem=2\n", everything(gpu_mem="16"), "gpu_mem=16\n", id="duplicates become one"),
        pytest.param("a=1\ngpu_mem=1\n", everything(gpu_mem=None), "a=1\n", id="removed"),
        pytest.param("gpu_mem_256=1\n", everything(gpu_mem=None), "gpu_mem_256=1\n", id="a longer name is another one"),
        pytest.param("[pi4]\na=1\n", everything(b="2"), "[pi4]\na=1\n[all]\nb=2\n", id="out of an open section"),
        pytest.param("[pi4]\na=1\n", everything(a=None), "[pi4]\na=1\n", id="another section's line stays"),
        pytest.param(
            "[pi5]\na=1\n",
            Section("pi5", {"b": "2"}),
            "[pi5]\na=1\nb=2\n[all]\n",
            id="into the last section if it is ours",
        ),
        pytest.param(
            "[pi5]\na=1\n\n[all]\n",
            Section("pi5", {"b": "2"}),
            "[pi5]\na=1\n\nb=2\n[all]\n",
            id="also before a bare [all]",
        ),
        pytest.param(
            "[pi5]\na=1\n[all]\na=3\n",
            Section("pi5", {"a": "1"}),
            "[pi5]\n[all]\na=3\n[pi5]\na=1\n[all]\n",
            id="moved behind the line that overruled it",
        ),
        pytest.param(
            "[EDID=X]\n[pi4]\na=1\n",
            Section("pi4", {"a": "2"}),
            "[EDID=X]\n[pi4]\na=1\n[all]\n[pi4]\na=2\n[all]\n",
            id="combined filters are another section",
        ),
        pytest.param(
            "hdmi_group:0=1\n", everything(**{"hdmi_group:0": "2"}), "hdmi_group:0=2\n", id="a port's own setting"
        ),
        pytest.param(
            "[board-type=0x14]\na=1\n",
            Section("board-type=0x14", {"a": "2"}),
            "[board-type=0x14]\na=2\n",
            id="board type",
        ),
        pytest.param(
            "[none]\na=1\n", everything(a="1"), "[none]\na=1\n[all]\na=1\n", id="what is under [none] is not set"
        ),
    ],
)
def test_settings(before: str, section: Section, after: str) -> None:
    assert changed(before, section) == after
    assert changed(after, section) == after


def test_radios_and_watchdog_on_a_fresh_image_go_below_a_last_all() -> None:
    sections = (
        Section(
            settings={"gpu_mem": "16"}, device_tree={"watchdog": "on"}, overlays={"disable-bt": {}, "disable-wifi": {}}
        ),
        Section("pi5", overlays={"disable-wifi-pi5": {}}),
    )
    after = changed(NEWER, *sections)
    assert after == NEWER.replace("audio=on\n", "audio=on\ndtparam=watchdog=on\n") + (
        "gpu_mem=16\ndtoverlay=disable-bt\ndtoverlay=disable-wifi\n[pi5]\ndtoverlay=disable-wifi-pi5\n[all]\n"
    )
    assert changed(after, *sections) == after


def test_a_wide_filter_given_last_does_not_overrule_a_narrow_one() -> None:
    sections = (Section("cm4", {"a": "3"}), Section("pi4", {"a": "2"}), Section("all", {"a": "1"}))
    after = changed("", *sections)
    assert after == "a=1\n[pi4]\na=2\n[all]\n[cm4]\na=3\n[all]\n"
    assert changed(after, *sections) == after


@pytest.mark.parametrize(
    ("before", "section", "after"),
    [
        pytest.param(
            STOCK, Section(device_tree={"audio": "off"}), STOCK.replace("audio=on", "audio=off"), id="stock audio"
        ),
        pytest.param(
            "dtparam=audio\n", Section(device_tree={"audio": "on"}), "dtparam=audio\n", id="without a value it is on"
        ),
        pytest.param(
            "dtparam=i2c_arm=on,spi=on\n",
            Section(device_tree={"spi": None}),
            "dtparam=i2c_arm=on\n",
            id="one of a list removed",
        ),
        pytest.param(
            "dtparam=i2c_arm=on,spi=on\n",
            Section(device_tree={"spi": "off"}),
            "dtparam=i2c_arm=on,spi=off\n",
            id="one of a list",
        ),
        pytest.param(
            "dtoverlay=vc4-kms-v3d\ndtparam=audio=on\n",
            Section(device_tree={"audio": "off"}),
            "dtoverlay=vc4-kms-v3d\ndtparam=audio=on\ndtoverlay=\ndtparam=audio=off\n",
            id="the overlay above may keep its own",
        ),
        pytest.param(
            "dtoverlay=a\ndtoverlay=\ndtparam=x=1\n",
            Section(device_tree={"x": "2"}),
            "dtoverlay=a\ndtoverlay=\ndtparam=x=2\n",
            id="an ended list is the base",
        ),
        pytest.param(
            "a=1\n# the display\ndtoverlay=vc4\n",
            Section(device_tree={"x": "1"}),
            "a=1\ndtparam=x=1\n# the display\ndtoverlay=vc4\n",
            id="a first one goes before the overlays",
        ),
        pytest.param(
            NEWER,
            Section("pi5", device_tree={"pciex1": "on"}),
            NEWER.replace("nospi10\n\n[all]\n", "nospi10\n\ndtoverlay=\ndtparam=pciex1=on\n[all]\n"),
            id="for one model after its overlay",
        ),
        pytest.param(
            "[pi4]\ndtoverlay=a\ndtparam=x=1\n[all]\n",
            Section(device_tree={"x": "2"}),
            "[pi4]\ndtoverlay=a\ndtparam=x=1\ndtoverlay=\n[all]\ndtparam=x=2\n",
            id="only a model that has an overlay needs its list ended",
        ),
        pytest.param(
            "[pi4]\ndtoverlay=a\n[all]\n",
            Section("pi5", device_tree={"x": "1"}),
            "[pi4]\ndtoverlay=a\n[all]\n[pi5]\ndtparam=x=1\n[all]\n",
            id="another model's overlay does not matter",
        ),
    ],
)
def test_parameters_of_the_base_device_tree(before: str, section: Section, after: str) -> None:
    assert changed(before, section) == after
    assert changed(after, section) == after


@pytest.mark.parametrize(
    ("before", "overlays", "after"),
    [
        pytest.param("a=1\n", {"disable-bt": {}}, "a=1\ndtoverlay=disable-bt\n", id="loaded"),
        pytest.param("dtoverlay=disable-bt\n", {"disable-bt": {}}, "dtoverlay=disable-bt\n", id="is loaded"),
        pytest.param(
            "dtoverlay=disable-bt-pi5\n",
            {"disable-bt": {}},
            "dtoverlay=disable-bt-pi5\ndtoverlay=disable-bt\n",
            id="other name",
        ),
        pytest.param(
            "dtoverlay=x,a=1,flag\n", {"x": {"b": "2"}}, "dtoverlay=x,a=1,flag=on,b=2\n", id="a parameter added"
        ),
        pytest.param("dtoverlay=x,flag\n", {"x": {"flag": "on"}}, "dtoverlay=x,flag\n", id="a flag is on"),
        pytest.param("dtoverlay=x,a=1,b=2\n", {"x": {"a": None}}, "dtoverlay=x,b=2\n", id="a parameter removed"),
        pytest.param(
            "dtoverlay=x\ndtparam=a=1\n", {"x": {"a": "1"}}, "dtoverlay=x\ndtparam=a=1\n", id="given on the next line"
        ),
        pytest.param(
            "dtoverlay=x\ndtparam=a=1,b=2\n",
            {"x": {"a": "3"}},
            "dtoverlay=x,a=3\ndtparam=b=2\n",
            id="the line below overruled",
        ),
        pytest.param("dtoverlay=x:a=1\n", {"x": {"a": "2"}}, "dtoverlay=x,a=2\n", id="the old colon"),
        pytest.param("dtoverlay=x\nb=1\n", {"x": None}, "b=1\n", id="removed"),
        pytest.param(
            "dtoverlay=y\ndtoverlay=x\ndtparam=a=1\n",
            {"x": None},
            "dtoverlay=y\ndtoverlay=\ndtparam=a=1\n",
            id="its parameters do not pass to the one above",
        ),
        pytest.param(
            "dtoverlay=x\ndtparam=a=1\n", {"x": None}, "dtparam=a=1\n", id="an empty first dtoverlay would stop HATs"
        ),
        pytest.param(
            "dtoverlay=w1-gpio,gpiopin=4\ndtoverlay=w1-gpio,gpiopin=5\n",
            {"w1-gpio": {"gpiopin": "5"}},
            "dtoverlay=w1-gpio,gpiopin=4\ndtoverlay=w1-gpio,gpiopin=5\n",
            id="one of two is right",
        ),
    ],
)
def test_overlays(before: str, overlays: dict[str, dict[str, str | None] | None], after: str) -> None:
    assert changed(before, Section(overlays=overlays)) == after
    assert changed(after, Section(overlays=overlays)) == after


def test_an_overlay_that_everything_loads_is_not_loaded_again_for_one_model() -> None:
    assert changed("dtoverlay=disable-bt\n", Section("pi4", overlays={"disable-bt": {}})) == "dtoverlay=disable-bt\n"


def test_two_loads_of_one_overlay_cannot_be_told_apart() -> None:
    with pytest.raises(InputError, match="2 times"):
        changed("dtoverlay=w1,pin=4\ndtoverlay=w1,pin=5\n", Section(overlays={"w1": {"pin": "6"}}))


def test_an_included_file_is_obeyed_and_left_alone() -> None:
    text, included = "a=1\ninclude extra.txt\n", {"extra.txt": "a=2\n[pi4]\n"}
    assert includes(text) == ("extra.txt",)
    assert changed(text, everything(a="1"), included=included) == "include extra.txt\n[all]\na=1\n"
    with pytest.raises(InputError, match="includes"):
        changed(text, everything(a=None), included=included)


def test_a_file_that_includes_itself_ends() -> None:
    assert changed("include loop.txt\n", everything(a="1"), included={"loop.txt": "include loop.txt\n"}).endswith(
        "a=1\n"
    )


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([Section("pi6")], "no filter"),
        ([Section("[pi4]")], "no filter"),
        ([Section("all\nx")], "no filter"),
        ([Section(settings={"dtparam": "audio=on"})], "device_tree"),
        ([Section(settings={"a b": "1"})], "cannot be a name"),
        ([Section(settings={"a": "1\nb=2"})], "cannot be written"),
        ([Section(settings={"a": " 1"})], "cannot be written"),
        ([Section(device_tree={"a": "1,b=2"})], "cannot be written"),
        ([Section(overlays={"x,y": {}})], "cannot be a name"),
        ([Section(overlays={"x": {"p": "1\n"}})], "cannot be written"),
        ([Section(settings={"a": "x" * 97})], "98 characters"),
        ([Section(overlays={"x": {"a": "1" * 50, "b": "2" * 50}})], "98 characters"),
        ([Section("pi4", {"a": "1"}), Section("pi4", {"b": "1"})], "given twice"),
    ],
)
def test_wrong_input_is_refused(sections: list[Section], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(STOCK, *sections)


def test_which_models_see_which_sections() -> None:
    assert covers(state_of("all"), state_of("cm4"))
    assert covers(state_of("pi4"), state_of("cm4"))
    assert covers(state_of("pi0"), state_of("cm0"))
    assert not covers(state_of("cm4"), state_of("pi4"))
    assert disjoint(state_of("pi4"), state_of("cm5"))
    assert not disjoint(state_of("pi5"), state_of("cm5"))
    assert not disjoint(state_of("gpio4=1"), state_of("pi5"))


def test_filters_of_one_kind_replace_and_of_two_kinds_combine() -> None:
    found = states(parse("[pi4]\n[EDID=X]\n[pi5]\n[all]\n"))
    assert [[name for _kind, name in state] for state in found] == [
        ["pi4"],
        ["pi4", "EDID=X"],
        ["EDID=X", "pi5"],
        [],
        [],
    ]


def test_a_person_compares_statements_with_their_filters() -> None:
    assert described(parse("# c\na=1\n\n[pi4]\n b=2\n")) == "a=1\n[pi4] b=2\n"


headers = st.sampled_from(
    ["all", "pi4", "cm4", "pi5", "cm5", "none", "EDID=X", "gpio4=1", "board-type=0x14", "odd"]
).map("[{}]".format)
names = st.sampled_from(["a", "b", "x"])
values = st.sampled_from(["0", "1", "on"])
statements = st.one_of(
    headers,
    st.builds("{}={}".format, names, values),
    st.builds("dtparam={}={}".format, names, values),
    st.builds("dtparam={}=1,{}".format, names, names),
    st.builds("dtoverlay={}".format, st.sampled_from(["", "o", "p", "o,a=1", "p,b"])),
    st.sampled_from(
        ["", "# a=1", "include extra.txt", "  a = 1", "nonsense", "[", "[pi4", "=", "dtparam=", "dtoverlay"]
    ),
    st.text(alphabet="ab=[]#, \r", max_size=6),
)
texts = st.one_of(
    st.text(),
    st.builds(
        lambda lines, end, last: end.join(lines) + last,
        st.lists(statements, max_size=14),
        st.sampled_from(["\n", "\r\n"]),
        st.sampled_from(["", "\n"]),
    ),
)
wished = st.one_of(st.none(), values)
sections = st.lists(
    st.builds(
        Section,
        st.sampled_from(["all", "pi4", "cm4", "pi5", "cm5", "gpio4=1"]),
        st.dictionaries(names, wished, max_size=2),
        st.dictionaries(names, wished, max_size=2),
        st.dictionaries(
            st.sampled_from(["o", "p"]), st.one_of(st.none(), st.dictionaries(names, wished, max_size=2)), max_size=2
        ),
    ),
    max_size=3,
    unique_by=lambda section: section.filter,
)


@given(texts, st.one_of(st.none(), st.just({"extra.txt": "a=0\n[pi5]\n"})))
def test_parse_and_render_give_the_same_text(text: str, included: dict[str, str] | None) -> None:
    assert render(parse(text, included)) == text


@given(texts, sections, st.one_of(st.none(), st.just({"extra.txt": "a=0\n[pi5]\ndtoverlay=o\n"})))
def test_applied_twice_is_applied_once(text: str, wanted: list[Section], included: dict[str, str] | None) -> None:
    try:
        once = changed(text, *wanted, included=included)
    except InputError:
        return
    assert changed(once, *wanted, included=included) == once


@given(texts, sections)
def test_lines_of_others_stay_in_their_order(text: str, wanted: list[Section]) -> None:
    """Whatever is neither a filter, nor a parameter or overlay, nor named as a setting, comes out as it went in."""

    def others(content: str) -> list[str]:
        kept = []
        for line in parse(content):
            key = line.assignment[0] if line.assignment else ""
            if line.filter is None and key not in {"dtparam", "dtoverlay", "a", "b", "x"}:
                kept.append(line.text.rstrip("\r"))
        return kept

    try:
        after = changed(text, *wanted)
    except InputError:
        return
    assert others(after) == others(text)
