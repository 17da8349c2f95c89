# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.merge import merge
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.shapes import PLAIN, shape_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.strategic import strategic_merge
from hypothesis import given
from hypothesis import strategies as st


def patched(document: dict[str, Any], patch: dict[str, Any], **options: Any) -> Any:
    return strategic_merge(document, patch, shape_of(document, options.pop("definitions", None)), **options)


def service(*ports: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "dns"}, "spec": {"ports": list(ports)}}


UDP, TCP = {"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        pytest.param([UDP], [TCP], [TCP, UDP], id="the other protocol on the same port is another port"),
        pytest.param([{"port": 53}], [UDP], [UDP, {"port": 53}], id="no protocol is TCP"),
        pytest.param([UDP, TCP], [{**TCP, "$patch": "delete"}], [UDP], id="one of two is removed"),
        pytest.param([UDP, TCP], [{"port": 53, "name": "a"}], [UDP, {**TCP, "name": "a"}], id="the patch may omit TCP"),
        pytest.param([UDP], [TCP, {"$patch": "replace"}], [TCP], id="all are replaced"),
    ],
)
def test_ports_merge_by_port_and_protocol(before: list[Any], patch: list[Any], after: list[Any]) -> None:
    assert patched(service(*before), {"spec": {"ports": patch}})["spec"]["ports"] == after


def test_appended_elements_leave_the_others_in_their_place() -> None:
    ports = patched(service(UDP, TCP), {"spec": {"ports": [{"port": 80}, TCP]}}, append=True)["spec"]["ports"]
    assert ports == [UDP, TCP, {"port": 80}]


def test_lists_without_merge_keys_are_replaced() -> None:
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": [{"host": "a"}]}}
    assert patched(ingress, {"spec": {"rules": [{"host": "b"}]}})["spec"]["rules"] == [{"host": "b"}]


def test_a_disruption_budgets_selector_is_replaced() -> None:
    spec = {"selector": {"matchLabels": {"a": "b"}}}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": spec}
    merged = patched(budget, {"spec": {"selector": {"matchLabels": {"c": "d"}}}})
    assert merged["spec"]["selector"] == {"matchLabels": {"c": "d"}}


def test_a_patch_can_delete_the_object() -> None:
    assert patched(service(), {"$patch": "delete"}) is None


def test_keys_that_yaml_reads_as_numbers_are_text() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"80": "a"}}
    assert patched(config, {"data": {80: "b", True: "c"}})["data"] == {"80": "b", "true": "c"}


CUSTOM = {"apiVersion": "example.org/v1", "kind": "Gateway", "metadata": {"finalizers": ["a"]}}
LISTENER = {"properties": {"mode": {"default": "tls"}, "names": {"x-kubernetes-list-type": "set"}}}
SPEC_SCHEMA = {
    "properties": {
        "listeners": {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "mode"],
            "items": LISTENER,
        },
        "routes": {"items": {}},
        "zones": {"additionalProperties": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}},
    }
}
DEFINITION = {
    "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"spec": SPEC_SCHEMA}}}}]}
}


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        (
            {"listeners": [{"port": 1, "names": ["a"]}]},
            {"listeners": [{"port": 1, "mode": "tls", "names": ["b"]}]},
            {"listeners": [{"port": 1, "mode": "tls", "names": ["b", "a"]}]},
        ),
        (
            {"listeners": [{"port": 1}]},
            {"listeners": [{"port": 1, "mode": "raw"}]},
            {"listeners": [{"port": 1, "mode": "raw"}, {"port": 1}]},
        ),
        ({"routes": [1]}, {"routes": [2]}, {"routes": [2]}),
        (
            {"zones": {"x": [{"id": 1, "a": 1}]}},
            {"zones": {"x": [{"id": 1, "b": 2}]}},
            {"zones": {"x": [{"id": 1, "a": 1, "b": 2}]}},
        ),
    ],
)
def test_custom_kinds_merge_as_their_definition_says(before: Any, patch: Any, after: Any) -> None:
    definitions = {("example.org", "Gateway"): DEFINITION}
    assert patched({**CUSTOM, "spec": before}, {"spec": patch}, definitions=definitions)["spec"] == after


def test_metadata_merges_alike_in_every_kind() -> None:
    assert patched(CUSTOM, {"metadata": {"finalizers": ["b"]}})["metadata"]["finalizers"] == ["b", "a"]


SPREAD = {"spec": {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]}}


def spread_pod(*constraints: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"topologySpreadConstraints": list(constraints)}}


def test_an_open_merge_key_fits_the_only_candidate() -> None:
    known = {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    assert patched(spread_pod(known), SPREAD)["spec"]["topologySpreadConstraints"] == [{**known, "maxSkew": 2}]


@pytest.mark.parametrize(
    ("document", "patch", "message"),
    [
        (
            service(),
            {"spec": {"ports": [{"name": "x"}]}},
            "spec.ports: an element of the patch does not contain the merge key 'port'",
        ),
        (service(), {"spec": {"ports": [53]}}, "spec.ports: every element must be a mapping with port"),
        (service(), {"spec": {"$patch": "drop"}}, "spec: $patch is 'drop', must be merge, replace or delete"),
        (
            service(UDP, TCP),
            {"spec": {"$setElementOrder/ports": [{"port": 80}], "ports": [TCP]}},
            "spec.ports: the order of the elements doesn't match $setElementOrder/ports",
        ),
        (
            service(),
            {"spec": {"externalIPs": [{"a": 1, "$patch": "delete"}]}},
            "spec.externalIPs[0]: $patch: delete has no meaning here, the list has no merge keys and is replaced",
        ),
        (service(), {"spec": {"$retainKeys": ["a"], "b": 1}}, "spec: $retainKeys drops b, which the patch sets"),
        (
            spread_pod(
                {"topologyKey": "zone", "whenUnsatisfiable": "A"}, {"topologyKey": "zone", "whenUnsatisfiable": "B"}
            ),
            SPREAD,
            "spec.topologySpreadConstraints[topologyKey=zone]: "
            "fits 2 elements of the object; name the other merge keys too",
        ),
    ],
)
def test_errors_name_the_field(document: dict[str, Any], patch: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        patched(document, patch)
    assert str(caught.value) == message


NAMES = st.sampled_from("abc")
VALUES = st.none() | st.integers(0, 2) | st.text(max_size=2)
FREE = st.recursive(
    VALUES, lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(st.integers(), max_size=2)
)
VARIABLES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "value": st.text(max_size=2)}), unique_by=lambda one: one["name"], max_size=3
)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": st.text(max_size=2), "env": VARIABLES}),
    unique_by=lambda one: one["name"],
    max_size=3,
)
PODS = st.fixed_dictionaries({"spec": st.fixed_dictionaries({"containers": CONTAINERS}, optional={"a": FREE})})


@given(PODS, PODS)
def test_a_second_time_changes_nothing_more_and_the_arguments_stay(before: Any, patch: Any) -> None:
    kept = deepcopy((before, patch))
    once = patched({"apiVersion": "v1", "kind": "Pod", **before}, patch)
    assert patched(once, patch) == once
    assert (before, patch) == kept


@given(PODS, PODS)
def test_no_container_is_lost_or_doubled(before: Any, patch: Any) -> None:
    merged = patched({"apiVersion": "v1", "kind": "Pod", **before}, patch)
    names = [one["name"] for one in merged["spec"]["containers"]]
    wanted = {one["name"] for source in (before, patch) for one in source["spec"]["containers"]}
    assert sorted(names) == sorted(wanted)


@given(st.dictionaries(NAMES, FREE), st.dictionaries(NAMES, FREE))
def test_without_merge_keys_it_is_a_json_merge_patch(document: Any, patch: Any) -> None:
    assert strategic_merge(document, patch, PLAIN) == merge(document, patch)
