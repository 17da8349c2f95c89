# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup on a cluster in memory."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.hearth.cluster.plugins.lookup import package
from ansible_collections.hearth.cluster.plugins.module_utils._kube import options
from ansible_collections.hearth.cluster.plugins.module_utils._package import spec

from tests.support.contract import config_map, definition
from tests.support.fake_cluster import FakeCluster

from . import kube_lookup

PASSWORD = "correct-horse-battery"


def ask(*packages: Any, **options: Any) -> list[Any]:
    return kube_lookup.ask(package, *packages, **options)


def test_objects_are_customised_and_nothing_is_sent(cluster: FakeCluster, tmp_path: Path) -> None:
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '1'}\n"
    )
    blog = {
        "name": "blog",
        "source": {"directory": "blog"},
        "namespace": "blog",
        "labels": {"tier": "web"},
        "patches": [{"target": {"kind": "ConfigMap"}, "set": {"data.k": "2"}}],
        "depends_on": ["database"],
    }
    found = {each["kind"]: each for each in ask(blog, search_path=[str(tmp_path)])}
    assert set(found) == {"ConfigMap", "Namespace"}
    assert found["ConfigMap"]["data"] == {"k": "2"}
    assert found["ConfigMap"]["metadata"]["namespace"] == "blog"
    assert found["ConfigMap"]["metadata"]["labels"]["hearth.cluster/package"] == "blog"
    assert found["ConfigMap"]["metadata"]["labels"]["tier"] == "web"
    assert cluster.writes == []


def test_several_packages_come_one_after_the_other(cluster: FakeCluster) -> None:
    packages = [{"name": name, "source": {"inline": [config_map("default", name)]}} for name in ("b", "a")]
    assert [each["metadata"]["name"] for each in ask(*packages)] == ["b", "a"]


def test_a_kind_that_an_earlier_package_defines_is_known(cluster: FakeCluster) -> None:
    thing = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "t"}}
    sources = (definition("example.org", "Thing"), thing)
    packages = [{"name": f"p{number}", "source": {"inline": [each]}} for number, each in enumerate(sources)]
    assert ask(*packages)[1]["metadata"]["namespace"] == "default"


def test_a_secret_is_returned_as_it_would_be_sent(cluster: FakeCluster) -> None:
    (found,) = ask({"name": "p", "namespace": "default", "secrets": [{"name": "s", "values": {"key": PASSWORD}}]})
    assert base64.b64decode(found["data"]["key"]).decode() == PASSWORD


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"name": "p", "sorce": {}}, "package p: there is no option 'sorce'; did you mean source"),
        ({"source": {}}, "package 1: name is missing"),
        ("blog", "package 1 must be a mapping of options, not text"),
        (
            {"name": "p", "source": {"inline": "a: 1"}, "patches": [{"target": {"name": "at"}, "remove": "no"}]},
            "inline:1: this object has no apiVersion",
        ),
    ],
)
def test_a_mistake_is_one_sentence(cluster: FakeCluster, entry: Any, told: str) -> None:
    with pytest.raises(AnsibleLookupError) as error:
        ask(entry)
    assert told in str(error.value)


def test_its_options_are_those_of_the_module() -> None:
    shared = {*options.CONNECTION, *spec.RUN} - {"packages", "only", "progress_file"}
    assert set(kube_lookup.options_of(package)) <= shared
    assert {"search_path", "lock_file", "mirrors"} <= set(kube_lookup.options_of(package))
