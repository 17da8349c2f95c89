# SPDX-License-Identifier: GPL-3.0-or-later
"""A package from its options to the cluster, in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import (
    ClusterError,
    HearthError,
    InputError,
    NotReadyError,
)
from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.record import Record
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.keeper import RecordKeeper
from ansible_collections.hearth.cluster.plugins.module_utils._package.result import result_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.contract import config_map, definition
from tests.support.fake_cluster import BUILT_IN, FakeCluster
from tests.support.package_world import MAPS, RECORD, SECRETS, World, deployment_manifest, kept, running_deployment


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


A, B = config_map("default", "a", k="1"), config_map("default", "b", k="1")


def test_twice_is_once(world: World) -> None:
    assert world.run(A, B).plan.changed
    maps = ["apply ConfigMap default/a", "apply ConfigMap default/b"]
    # The rendered set, the record's Secret, what will be there, what is there.
    assert world.writes() == [kept(1), RECORD, RECORD, *maps, RECORD]
    assert not world.run(A, B).plan.changed
    assert world.writes() == []


def test_nothing_to_do_asks_only_for_metadata(world: World) -> None:
    world.run(A, B)
    world.cluster.requests = 0
    world.run(A, B)
    assert world.cluster.requests == 2  # the record, and one list of ConfigMaps


def test_one_changed_field_is_one_write(world: World) -> None:
    world.run(A, B)
    world.cluster.changed_by("kubectl-edit", MAPS, "default", "a", {"data": {"k": "9"}})
    world.writes()
    outcome = world.run(A, B)
    assert world.writes() == ["apply ConfigMap default/a"]
    assert [(step.verb.value, step.fields) for step in outcome.plan.steps] == [("update", ("data.k",)), ("keep", ())]


def test_fields_that_others_add_are_left_alone(world: World) -> None:
    world.run(A)
    world.cluster.changed_by("somebody", MAPS, "default", "a", {"metadata": {"annotations": {"note": "x"}}})
    world.writes()
    assert not world.run(A).plan.changed
    assert world.writes() == []


def test_what_is_no_longer_wanted_is_pruned_exactly(world: World) -> None:
    world.run(A, B)
    world.cluster.apply(MAPS, config_map("default", "foreign", k="1"))
    world.writes()
    outcome = world.run(B)
    assert [str(step.identity) for step in outcome.plan.prunes] == ["ConfigMap default/a"]
    assert world.names() == ["b", "foreign"]
    assert world.writes() == [kept(2), RECORD, "delete ConfigMap default/a", RECORD]


def test_configuration_is_pruned_after_everything_is_healthy_and_the_rest_before(world: World) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"type": "ClusterIP"}}
    world.run(A, service)
    world.writes()
    deployment = running_deployment()
    world.cluster.events.append(deployment)
    world.run(deployment_manifest())
    assert world.writes() == [
        kept(2),
        RECORD,
        "apply Deployment default/web",
        "delete Service default/s",
        "delete ConfigMap default/a",
        RECORD,
    ]


def test_absent_removes_everything_with_the_record(world: World) -> None:
    world.run(A, B)
    world.run(state="absent")
    assert world.names() == []
    assert world.names("Secret") == []
    assert not world.run(state="absent").plan.changed


def test_absent_keeps_what_holds_other_things_until_it_is_named(world: World) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "home"}}
    world.run(space, config_map("home", "a", k="1"))
    world.run(state="absent")
    assert "home" in world.names("Namespace")
    assert [entry.identity.kind for entry in world.record.entries] == ["Namespace"]
    world.run(state="absent", prune_also=["Namespace/home"])
    assert "home" not in world.names("Namespace")
    assert world.names("Secret") == []


def test_a_namespace_that_the_package_made_can_be_removed_with_it(world: World) -> None:
    world.run(A, namespace="made")
    world.writes()
    assert not world.run(A, namespace="made").plan.changed
    world.run(state="absent")
    assert "made" in world.names("Namespace")
    world.run(state="absent", prune_also=["Namespace/made"])
    assert "made" not in world.names("Namespace")


def test_a_namespace_that_was_there_before_is_never_removed(world: World) -> None:
    world.run(A, namespace="default")
    world.cluster.apply(
        BUILT_IN[2], {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}, manager="x"
    )
    world.run(A, namespace="old")
    world.run(state="absent", prune_also=["Namespace"])
    assert "old" in world.names("Namespace")


def test_check_mode_tells_the_same_plan_and_writes_nothing(world: World) -> None:
    thing = {"apiVersion": "x.example.org/v1", "kind": "Thing", "metadata": {"name": "t"}}
    objects = (definition("x.example.org", "Thing"), thing, A)
    foretold = world.run(*objects, namespace="new", check=True)
    assert world.writes() == []
    done = world.run(*objects, namespace="new")
    assert [(step.verb, step.identity) for step in foretold.plan.steps] == [
        (step.verb, step.identity) for step in done.plan.steps
    ]


def test_what_others_need_is_applied_first(world: World) -> None:
    thing = {"apiVersion": "x.example.org/v1", "kind": "Thing", "metadata": {"name": "t"}}
    world.run(thing, A, definition("x.example.org", "Thing"), namespace="new")
    assert world.writes() == [
        kept(1),
        RECORD,
        RECORD,
        "apply Namespace new",
        "apply CustomResourceDefinition things.x.example.org",
        "apply ConfigMap new/a",
        "apply Thing new/t",
        RECORD,
    ]


def test_a_controllers_field_is_a_conflict_and_nothing_is_written(world: World) -> None:
    world.run(A, B)
    world.cluster.changed_by("kube-controller-manager", MAPS, "default", "b", {"data": {"k": "9"}})
    world.writes()
    with pytest.raises(ClusterError, match=r"nothing was changed.*\n- ConfigMap default/b: .*force: ") as error:
        world.run(config_map("default", "a", k="2"), B)
    assert world.writes() == []
    assert error.value.details["conflicts"] == [
        {"object": "ConfigMap default/b", "field": ".data.k", "manager": "kube-controller-manager"}
    ]
    forced = world.run(A, B, force=True)
    assert [step.verb.value for step in forced.plan.steps] == ["keep", "update"]


def test_an_object_of_another_package_is_not_taken(world: World) -> None:
    world.run(A, name="first")
    with pytest.raises(ClusterError, match="belongs to the package first"):
        world.run(A, name="second")


def test_an_object_that_nobody_owns_is_adopted(world: World) -> None:
    world.cluster.apply(MAPS, A, manager="kubectl")
    outcome = world.run(A)
    assert [step.verb.value for step in outcome.plan.steps] == ["adopt"]
    assert not world.run(A).plan.changed


def test_what_a_tool_left_in_an_adopted_object_goes(world: World) -> None:
    world.cluster.apply(MAPS, config_map("default", "a", k="0", mine="x"), manager="operator")
    world.cluster.changed_by("kubectl-client-side-apply", MAPS, "default", "a", {"data": {"k": "0", "left": "over"}})
    outcome = world.run(A)
    (step,) = outcome.plan.steps
    assert (step.verb.value, "kubectl-client-side-apply" in step.reason) == ("adopt", True)
    assert world.cluster.objects["", "ConfigMap", "default", "a"]["data"] == {"k": "1", "mine": "x"}
    assert not world.run(A).plan.changed


def test_of_two_runs_at_once_one_stops_and_nothing_is_lost(world: World) -> None:
    rival = RecordKeeper(world.cluster, "p")
    rival.read()
    world.run(A)
    world.writes()
    with pytest.raises(ClusterError, match="another run is working on this package"):
        rival.write(Record("p"))
    version = world.cluster.objects["", "Secret", "kube-system", "hearth-p"]["metadata"]["resourceVersion"]
    with pytest.raises(ClusterError, match="another run is working on this package"):
        rival.write(Record("p"))
    assert world.cluster.objects["", "Secret", "kube-system", "hearth-p"]["metadata"]["resourceVersion"] == version
    late = RecordKeeper(world.cluster, "p")
    late.read()
    world.run(A, B)
    with pytest.raises(ClusterError, match="another run is working on this package"):
        late.write(Record("p"))
    assert {entry.identity.name for entry in world.record.entries} == {"a", "b"}


def test_what_the_server_refuses_is_told_before_anything_is_written(world: World) -> None:
    with pytest.raises(ClusterError, match=r"dta: field not declared in schema \[inline\[1\]\]"):
        world.run(A, {**B, "dta": {}})
    assert world.writes() == []


def test_a_kind_that_does_not_exist_is_told_with_a_near_miss(world: World) -> None:
    wrong = {"apiVersion": "apps/v1", "kind": "Deploymint", "metadata": {"name": "x"}}
    with pytest.raises(
        InputError, match=r"inline\[0\]: this cluster has no kind Deploymint .* did you mean Deployment"
    ):
        world.run(wrong)


def test_an_immutable_field_makes_the_object_anew(world: World) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque"}
    world.run(secret)
    world.writes()
    outcome = world.run({**secret, "type": "example.org/x"})
    assert [step.verb.value for step in outcome.plan.steps] == ["recreate"]
    assert world.writes() == [kept(2), RECORD, "delete Secret default/s", "apply Secret default/s", RECORD]


def test_a_webhook_that_is_not_up_yet_is_tried_again(world: World) -> None:
    not_yet = RefusedError("failed calling webhook", Reason.WEBHOOK, status=500)
    world.run(A)
    world.cluster.broken += [("apply ConfigMap b", not_yet)] * 3
    world.run(A, B)
    assert world.names() == ["a", "b"]
    assert world.time.now > 0


def test_what_does_not_pass_is_not_tried_again(world: World) -> None:
    world.run(A)
    forbidden = RefusedError("Cannot apply it: configmaps is forbidden", Reason.FORBIDDEN, status=403)
    world.cluster.broken.append(("apply ConfigMap b", forbidden))
    with pytest.raises(ClusterError, match="forbidden"):
        world.run(A, B)
    assert world.time.now == 0


@settings(max_examples=60, deadline=None)
@given(
    first=st.sets(st.sampled_from("abcd"), min_size=1),
    second=st.sets(st.sampled_from("abcd"), min_size=1),
    killed_at=st.integers(0, 14),
    value=st.sampled_from("123"),
)
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    tmp_path_factory: pytest.TempPathFactory, first: set[str], second: set[str], killed_at: int, value: str
) -> None:
    world = World(tmp_path_factory.mktemp("killed"))
    world.cluster.apply(MAPS, config_map("default", "foreign", k="1"))
    world.run(*(config_map("default", name, k="1") for name in sorted(first)))
    with pytest.MonkeyPatch.context() as patch:
        kill_after(world.cluster, killed_at, patch)
        with contextlib.suppress(KeyboardInterrupt):
            world.run(*(config_map("default", name, k="2") for name in sorted(second)))
    third = sorted(first ^ second) or ["a"]
    wanted = [config_map("default", name, k=value) for name in third]
    world.run(*wanted)
    assert world.names() == sorted([*third, "foreign"])
    assert {world.cluster.objects["", "ConfigMap", "default", name]["data"]["k"] for name in third} == {value}
    assert not world.run(*wanted).plan.changed


def kill_after(cluster: FakeCluster, writes: int, patch: pytest.MonkeyPatch) -> None:
    """The process dies when it is about to do one write too many."""
    begun = len(cluster.writes)

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if not options.get("dry_run") and len(cluster.writes) - begun >= writes:
                raise KeyboardInterrupt
            return method(*arguments, **options)

        return call

    patch.setattr(cluster, "apply", deadly(cluster.apply))
    patch.setattr(cluster, "delete", deadly(cluster.delete))


def test_it_waits_until_everything_is_healthy(world: World) -> None:
    world.cluster.events.append(running_deployment())
    assert world.run(deployment_manifest()).waited
    assert world.record.healthy


def test_a_change_made_by_hand_that_is_taken_back_is_waited_for_by_the_run_after_one_that_was_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cluster.events.append(running_deployment())
    world.run(deployment_manifest())
    deployments = next(each for each in BUILT_IN if each.kind == "Deployment")
    by_hand = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "nginx:0"}]}}}}
    world.cluster.changed_by("kubectl-edit", deployments, "default", "web", by_hand)
    world.cluster.events.clear()
    world.writes()

    def killed(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(world.cluster, "pass_time", killed)
        world.run(deployment_manifest())
    assert world.writes() == [RECORD, "apply Deployment default/web"]

    world.cluster.events.append(running_deployment())
    again = world.run(deployment_manifest())
    assert (again.plan.changed, again.waited, world.record.healthy) == (False, True, True)
    assert not world.run(deployment_manifest()).waited


def test_what_was_not_healthy_is_waited_for_again(world: World) -> None:
    with pytest.raises(
        NotReadyError, match=r"package p: After 10 seconds 1 of the objects are not ready .*\n- Deployment"
    ):
        world.run(deployment_manifest(), wait_timeout=10)
    assert world.time.now == 10
    assert not world.record.healthy
    world.cluster.events.append(running_deployment())
    world.writes()
    outcome = world.run(deployment_manifest())
    assert (outcome.plan.changed, outcome.waited) == (False, True)
    assert world.writes() == [RECORD]
    assert not world.run(deployment_manifest()).waited


def test_no_secret_is_in_any_answer(world: World) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"password": "hunter2hunter2"},
    }
    world.run(secret)
    changed = {**secret, "stringData": {"password": "correcthorse"}}
    answer = result_of([world.run(changed, check=True)], check=True, with_diff=True)
    assert answer["packages"][0]["objects"][0]["step"] == "update"
    assert answer["diff"]
    for value in ("hunter2hunter2", "correcthorse", "aHVudGVyMmh1bnRlcjI=", "Y29ycmVjdGhvcnNl"):
        assert value not in str(answer)


def test_the_record_is_an_applyset_that_other_tools_know(world: World) -> None:
    world.run(A, config_map("default", "b", k="1"))
    secret = world.cluster.get(SECRETS, "kube-system", "hearth-p")
    assert secret is not None
    part_of = world.cluster.objects["", "ConfigMap", "default", "a"]["metadata"]["labels"][
        "applyset.kubernetes.io/part-of"
    ]
    assert secret["metadata"]["labels"]["applyset.kubernetes.io/id"] == part_of
    annotations = secret["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/tooling"].startswith("hearth/v")
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "default"


def test_another_tools_record_is_left_alone(world: World) -> None:
    world.run(A)
    world.cluster.objects["", "Secret", "kube-system", "hearth-p"]["metadata"]["annotations"] = {
        "applyset.kubernetes.io/tooling": "kubectl/v1.36"
    }
    with pytest.raises(HearthError, match="belongs to the tool kubectl"):
        world.run(A)


def test_a_record_that_cannot_be_read_says_what_to_do(world: World) -> None:
    world.run(A)
    world.cluster.objects["", "Secret", "kube-system", "hearth-p"]["data"]["release"] = "bm9uc2Vuc2U="
    with pytest.raises(ClusterError, match=r"Secret kube-system/hearth-p, cannot be read.*delete the Secret"):
        world.run(A)


def test_only_the_fields_that_are_claimed_are_taken(world: World) -> None:
    world.run(config_map("default", "a", x="1", y="1"))
    world.cluster.changed_by("operator", MAPS, "default", "a", {"data": {"x": "9", "y": "9"}})
    world.writes()
    wanted = config_map("default", "a", x="1", y="1")
    with pytest.raises(ClusterError, match=r"\.data\.x is owned by operator; \.data\.y is owned by operator"):
        world.run(wanted, force=[{"manager": "operator", "fields": [".data.x"]}])
    assert world.writes() == []
    world.run(wanted, force=[{"manager": "oper*", "fields": [".data.x", "data.y"]}])
    assert world.cluster.objects["", "ConfigMap", "default", "a"]["data"] == {"x": "1", "y": "1"}


def test_an_autoscalers_replicas_are_left_to_it(world: World) -> None:
    deployments = next(each for each in BUILT_IN if each.kind == "Deployment")
    world.run(deployment_manifest("web:1"), wait=False)
    world.cluster.changed_by("kube-controller-manager/scale", deployments, "default", "web", {"spec": {"replicas": 5}})
    assert not world.run(deployment_manifest("web:1"), wait=False).plan.changed
    outcome = world.run(deployment_manifest("web:2"), wait=False)
    assert "leaves .spec.replicas to kube-controller-manager/scale" in outcome.plan.steps[0].reason
    assert world.cluster.objects["apps", "Deployment", "default", "web"]["spec"]["replicas"] == 5
    world.writes()
    assert not world.run(deployment_manifest("web:2"), wait=False).plan.changed
    assert world.writes() == []


def test_what_a_controller_keeps_is_not_taken(world: World) -> None:
    owner = {"kind": "Sealed", "name": "s", "uid": "u", "apiVersion": "v1", "controller": True}
    made = {**A, "metadata": {**A["metadata"], "ownerReferences": [owner]}}
    world.cluster.apply(MAPS, made, manager="operator")
    with pytest.raises(ClusterError, match="ConfigMap default/a: is made and kept by Sealed s"):
        world.run(A, force=True)


def ruled(name: str, **annotations: str) -> dict[str, Any]:
    content = config_map("default", name, k="1")
    noted = {f"kapp.k14s.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**content, "metadata": {**content["metadata"], "annotations": noted}}


def test_the_order_that_objects_ask_for_is_kept(world: World) -> None:
    world.run(
        ruled("late", change_rule="upsert after upserting example.org/first"),
        A,
        ruled("early", change_group="example.org/first"),
        ruled("last", change_rule="upsert after upserting example.org/second"),
        ruled("middle", change_group="example.org/second", change_rule="upsert after upserting example.org/first"),
    )
    order = [line.rpartition("/")[2] for line in world.writes() if "ConfigMap" in line]
    assert set(order[:2]) == {"a", "early"}
    assert set(order[2:4]) == {"late", "middle"}
    assert order[4] == "last"


def test_rules_that_go_in_a_circle_are_told_before_anything_is_written(world: World) -> None:
    one = ruled("one", change_group="x/1", change_rule="upsert after upserting x/2")
    two = ruled("two", change_group="x/2", change_rule="upsert after upserting x/1")
    with pytest.raises(InputError, match="in a circle: ConfigMap default/one -> ConfigMap default/two -> ConfigMap"):
        world.run(one, two)
    assert world.writes() == []


def test_a_record_whose_answer_was_lost_is_known_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is sent twice, and the second one meets what the first one wrote."""
    apply = world.cluster.apply

    def twice(resource: Any, content: Any, **options: Any) -> Any:
        answer = apply(resource, content, **options)
        is_record = content["metadata"]["name"] == "hearth-p" and content.get("data")
        return apply(resource, content, **options) if is_record else answer

    monkeypatch.setattr(world.cluster, "apply", twice)
    assert world.run(A).plan.changed
    assert world.run(A, B).plan.changed
    assert {entry.identity.name for entry in world.record.entries} == {"a", "b"}


def hook(name: str, event: str, **status: Any) -> dict[str, Any]:
    """A Job of a chart; one with a status is one that has ended."""
    content = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"}}
    annotations = {"helm.sh/hook": event}
    metadata = {**content["metadata"], "annotations": annotations}
    ended = {"status": {"conditions": [{"type": kind, "status": "True"} for kind in status["ended"]]}} if status else {}
    return {**content, "metadata": metadata, "spec": {"template": {"spec": {}}}, **ended}


def test_hooks_for_the_removal_run_around_it_and_go_with_the_package(world: World) -> None:
    world.run(A, hook("goodbye", "pre-delete"), hook("swept", "post-delete"))
    assert world.names("Job") == []
    world.cluster.events += [hook("goodbye", "", ended=["Complete"]), hook("swept", "", ended=["Complete"])]
    foretold = world.run(state="absent", check=True)
    world.writes()
    done = world.run(state="absent")
    assert foretold.plan.counts() == done.plan.counts()
    assert [line for line in world.writes() if "Secret" not in line] == [
        "apply Job default/goodbye",
        "delete ConfigMap default/a",
        "apply Job default/swept",
        "delete Job default/goodbye",
        "delete Job default/swept",
    ]
    assert world.names("Secret") == []
    assert not world.run(state="absent").plan.changed


def test_a_hook_for_the_removal_that_fails_stops_it_and_can_be_left_out(world: World) -> None:
    world.run(A, hook("goodbye", "pre-delete"))
    world.cluster.events.append(hook("goodbye", "", ended=["Failed"]))
    with pytest.raises(NotReadyError, match="goodbye"):
        world.run(state="absent")
    assert world.names() == ["a"]
    world.run(state="absent", wait=False)
    assert world.names() == world.names("Job") == world.names("Secret") == []


def test_a_removal_that_was_killed_in_its_hooks_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run(A, hook("goodbye", "pre-delete"))
    world.cluster.events.append(hook("goodbye", "", ended=["Complete"]))
    with monkeypatch.context() as killing, pytest.raises(KeyboardInterrupt):
        killing.setattr(world.cluster, "watch", _killed)
        world.run(state="absent")
    assert world.names("Job") == ["goodbye"]
    world.run(state="absent")
    assert world.names() == world.names("Job") == world.names("Secret") == []


def _killed(*_arguments: Any, **_options: Any) -> Any:
    raise KeyboardInterrupt


def test_hooks_for_a_rollback_run_once_for_each(world: World) -> None:
    back = hook("back", "post-rollback")
    world.run(config_map("default", "a", k="1"), back)
    world.run(config_map("default", "a", k="2"), back)
    assert world.names("Job") == []
    world.cluster.events.append(hook("back", "", ended=["Complete"]))
    world.run(state="previous")
    assert world.names("Job") == ["back"]
    assert not world.run(state="previous").plan.changed
    world.run(config_map("default", "a", k="3"), back)
    assert world.names("Job") == []
