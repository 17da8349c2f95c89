# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from base64 import b64encode
from copy import deepcopy
from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._kube.redact import redact, redact_pair
from hypothesis import given
from hypothesis import strategies as st


def encoded(value: str) -> str:
    return b64encode(value.encode()).decode()


def secret(**members: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, **members}


def deployment(**variables: str) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in variables.items()]
    containers = [{"name": "db", "env": env}]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": {"containers": containers}}}}


def test_a_secret_shows_its_keys_and_no_value() -> None:
    shown = redact(secret(data={"a": encoded("hunter2")}, stringData={"b": "hunter2"}, type="Opaque"))
    assert shown == secret(data={"a": "(hidden)"}, stringData={"b": "(hidden)"}, type="Opaque")


def test_the_copy_that_kubectl_keeps_is_hidden() -> None:
    copy = secret()
    copy["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":...}', "a": "b"}
    annotations = redact(copy)["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/last-applied-configuration": "(hidden)", "a": "b"}


def test_environment_variables_that_sound_secret_are_hidden() -> None:
    shown = redact(deployment(DB_PASSWORD="hunter2", LANG="C"))
    assert shown == deployment(DB_PASSWORD="(hidden)", LANG="C")


def test_other_kinds_are_shown() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    assert redact(config) == config


def test_a_change_is_seen_and_what_stays_is_not_marked() -> None:
    before, after = redact_pair(
        secret(data={"same": "QQ==", "new": "QQ==", "gone": "QQ=="}), secret(data={"same": "QQ==", "new": "Qg=="})
    )
    assert before["data"] == {"same": "(hidden)", "new": "(hidden, before)", "gone": "(hidden, before)"}
    assert after["data"] == {"same": "(hidden)", "new": "(hidden, after)"}


def test_string_data_that_equals_the_data_is_no_change() -> None:
    before, after = redact_pair(secret(data={"a": encoded("x")}), secret(stringData={"a": "x"}))
    assert (before["data"]["a"], after["stringData"]["a"]) == ("(hidden)", "(hidden)")


def test_a_changed_variable_is_seen() -> None:
    before, after = redact_pair(deployment(API_TOKEN="one"), deployment(API_TOKEN="two"))
    assert before == deployment(API_TOKEN="(hidden, before)")
    assert after == deployment(API_TOKEN="(hidden, after)")


VALUES = st.text(alphabet="xyz0189", min_size=12, max_size=20)
SECRETS = st.builds(
    lambda data, strings: secret(data={k: encoded(v) for k, v in data.items()}, stringData=strings),
    st.dictionaries(st.sampled_from("abc"), VALUES),
    st.dictionaries(st.sampled_from("abc"), VALUES),
)


@given(SECRETS, SECRETS)
def test_no_value_ever_appears_and_the_arguments_stay(before: Any, after: Any) -> None:
    kept = deepcopy((before, after))
    shown = str(redact_pair(before, after)) + str(redact(before))
    for document in (before, after):
        for value in [*document["data"].values(), *document["stringData"].values()]:
            assert value not in shown
    assert (before, after) == kept


@given(SECRETS)
def test_nothing_differs_where_nothing_changes(one: Any) -> None:
    before, after = redact_pair(one, deepcopy(one))
    assert before == after == redact(one)
