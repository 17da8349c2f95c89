# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases are kept, and one can go back to them: by asking, or because a new one fails."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import ClusterError, InputError, NotReadyError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import Reason, RefusedError
from ansible_collections.hearth.cluster.plugins.module_utils._package.release import history
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.history import (
    History,
    pack,
    set_digest,
    unpack,
)
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.rollback import with_newer_definitions
from ansible_collections.hearth.cluster.plugins.module_utils._package.result import result_of

from tests.support.contract import config_map, definition
from tests.support.package_world import RECORD, World, deployment_manifest, kept, running_deployment


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def version(number: int, *more: str) -> list[dict[str, Any]]:
    return [config_map("default", name, k=str(number)) for name in ("a", *more)]


def values(world: World) -> dict[str, str]:
    return {key[3]: live["data"]["k"] for key, live in world.cluster.objects.items() if key[1] == "ConfigMap"}


def kept_sets(world: World) -> list[str]:
    return sorted(name for name in world.names("Secret") if ".v" in name)


def test_the_release_before_comes_back_as_it_was_and_asking_twice_is_asking_once(world: World) -> None:
    world.run(*version(1, "old"))
    world.run(*version(2, "new"))
    world.writes()
    back = world.run(state="previous")
    assert values(world) == {"a": "1", "old": "1"}
    assert (back.release, back.plan.counts()["prune"]) == (1, 1)
    assert world.writes() == [
        RECORD,
        "apply ConfigMap default/a",
        "apply ConfigMap default/old",
        "delete ConfigMap default/new",
        RECORD,
    ]
    again = world.run(state="previous")
    assert (again.plan.changed, world.writes()) == (False, [])


def test_going_back_is_shown_first_and_writes_nothing(world: World) -> None:
    world.run(*version(1))
    world.run(*version(2))
    world.writes()
    foretold = world.run(state="previous", check=True)
    assert (foretold.release, foretold.plan.counts()["update"], world.writes()) == (1, 1, [])


def test_what_one_went_back_from_is_not_gone_back_to(world: World) -> None:
    world.run(*version(1))
    world.run(*version(2))
    world.run(state="previous")
    world.run(*version(3))
    assert world.run(state="previous").release == 1


def test_a_release_that_is_installed_again_keeps_its_number(world: World) -> None:
    world.run(*version(1))
    world.run(*version(2))
    world.run(state="previous")
    assert world.run(*version(1)).release == 1
    assert world.writes()[-1] == RECORD
    assert (world.run(*version(1)).release, world.writes()) == (1, [])
    assert world.run(*version(2)).release == 2
    assert not any(each.withdrawn for each in world.record.history)


def test_nothing_is_kept_by_a_run_that_changes_nothing(world: World) -> None:
    world.run(*version(1))
    world.run(*version(1))
    assert kept_sets(world) == ["hearth-p.v1.1"]


def test_a_few_releases_are_kept_and_with_the_package_all_of_them_go(world: World) -> None:
    for number in range(1, 7):
        world.run(*version(number))
    assert kept_sets(world) == [f"hearth-p.v{number}.1" for number in (4, 5, 6)]
    assert [each.number for each in world.record.history] == [4, 5, 6]
    world.run(state="absent")
    assert world.names("Secret") == []


def test_the_last_good_release_stays_however_many_fail(world: World) -> None:
    world.cluster.events.append(running_deployment())
    world.run(deployment_manifest("web:1"))
    world.cluster.events.clear()
    for number in range(2, 7):
        with pytest.raises(NotReadyError):
            world.run(deployment_manifest(f"web:{number}"), wait_timeout=1)
    assert [each.number for each in world.record.history] == [1, 4, 5, 6]
    assert world.run(state="previous", wait=False).release == 1


def test_a_release_that_does_not_become_healthy_is_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.cluster.events.append(running_deployment())
    world.run(deployment_manifest("web:1"))
    watch, watches = world.cluster.watch, []

    def only_the_first_release_runs(*arguments: Any, **options: Any) -> Any:
        watches.append(arguments)
        world.cluster.events[:] = [running_deployment()] if len(watches) > 1 else []
        return watch(*arguments, **options)

    monkeypatch.setattr(world.cluster, "watch", only_the_first_release_runs)
    with pytest.raises(NotReadyError) as error:
        world.run(deployment_manifest("web:2"), wait_timeout=5, on_failure="rollback")
    assert "After 5 seconds" in str(error.value)
    assert "\nRolled back: release 1 is in the cluster again" in str(error.value)
    assert error.value.details["rolled_back_to"] == 1
    live = world.cluster.objects["apps", "Deployment", "default", "web"]
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    assert world.record.healthy
    assert [(each.number, each.healthy, each.withdrawn) for each in world.record.history] == [
        (1, True, False),
        (2, False, True),
    ]


def test_a_release_that_cannot_be_written_whole_is_taken_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(*version(1))
    apply = world.cluster.apply

    def refuse_b(resource: Any, content: Any, **options: Any) -> Any:
        if content["metadata"]["name"] == "b" and not options.get("dry_run"):
            raise RefusedError("Cannot apply ConfigMap b: no", Reason.FORBIDDEN, status=403)
        return apply(resource, content, **options)

    monkeypatch.setattr(world.cluster, "apply", refuse_b)
    with pytest.raises(ClusterError, match="Rolled back: release 1"):
        world.run(*version(2, "b"), on_failure="rollback")
    assert values(world) == {"a": "1"}
    assert not world.run(*version(1)).plan.changed


def test_a_first_release_has_nothing_to_go_back_to(world: World) -> None:
    with pytest.raises(NotReadyError, match="It was not rolled back: package p: no release before number 1 is kept"):
        world.run(deployment_manifest(), wait_timeout=5, on_failure="rollback")
    with pytest.raises(InputError, match="not installed, so there is no release to go back to"):
        world.run(state="previous", name="other")


def test_a_set_that_was_tampered_with_is_not_put_back(world: World) -> None:
    world.run(*version(1))
    world.run(*version(2))
    (packed,) = pack([Manifest(config_map("default", "a", k="9"))])
    stored = world.cluster.objects["", "Secret", "kube-system", "hearth-p.v1.1"]
    stored["data"]["set"] = base64.b64encode(packed).decode()
    with pytest.raises(
        ClusterError, match=r"Release 1 of package p, kept in Secret kube-system/hearth-p.v1.1, .*digest"
    ):
        world.run(state="previous")
    del world.cluster.objects["", "Secret", "kube-system", "hearth-p.v1.1"]
    with pytest.raises(ClusterError, match=r"hearth-p.v1.1 is gone"):
        world.run(state="previous")
    assert values(world) == {"a": "2"}


def test_a_large_set_is_cut_into_parts_that_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_PART_BYTES", 100)
    world.run(*version(1, "b", "c"))
    (release,) = world.record.history
    assert release.parts == len(kept_sets(world)) > 1
    assert len(History(world.cluster, "p").read(release)) == 3
    assert History(world.cluster, "p").times() == {1: "2026-01-01T00:00:00Z"}


def test_a_set_is_read_as_it_was_written() -> None:
    manifests = (
        Manifest(config_map("n", "a", k="ü"), "a.yaml:1"),
        Manifest(config_map("n", "once", k="random"), create_only=True),
    )
    read = unpack(pack(manifests))
    assert [(each.content, each.origin, each.create_only) for each in read] == [
        (each.content, each.origin, each.create_only) for each in manifests
    ]


def test_what_is_made_once_may_be_rendered_differently_every_time() -> None:
    one, other = (Manifest(config_map("n", k=value), create_only=True) for value in "12")
    assert set_digest([one]) == set_digest([other])
    assert set_digest([one]) != set_digest([])


def test_a_definition_goes_back_only_if_nothing_is_stored_in_what_it_would_lose() -> None:
    old, new = definition("x.example.org", "Thing"), definition("x.example.org", "Thing")
    new["spec"]["versions"] = [{**old["spec"]["versions"][0], "name": name} for name in ("v1", "v2")]
    stored, current = Manifest(old), Manifest(new)
    for versions, expected in ((["v1"], stored), (["v1", "v2"], current)):
        live = {**new, "status": {"storedVersions": versions}}
        assert with_newer_definitions([stored], [current], {stored.identity: live}) == (expected,)


def test_the_kept_set_is_what_a_killed_run_overwrites(world: World) -> None:
    world.run(*version(1))
    History(world.cluster, "p").store(2, [b"half of a run that was killed", b"and more of it"])
    world.writes()
    world.run(*version(3))
    assert world.writes()[0] == kept(2)
    world.run(*version(4))
    assert world.run(state="previous").release == 2
    assert values(world) == {"a": "3"}


def test_a_release_is_kept_whole_also_if_not_all_of_it_was_due(world: World) -> None:
    hook = config_map("default", "hook", k="0")
    hook["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade"}
    world.run(*version(1), hook)
    world.run(*version(2), hook)
    assert world.run(state="previous").release == 1
    assert values(world)["a"] == "1"


def test_a_secret_that_comes_back_is_shown_nowhere(world: World) -> None:
    def secret(value: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": value}}

    world.run(secret("hunter2hunter2"))
    world.run(secret("correcthorse"))
    answer = result_of([world.run(state="previous")], check=False, with_diff=True)
    assert answer["diff"]
    for value in ("hunter2hunter2", "correcthorse"):
        assert value not in str(answer)
        assert base64.b64encode(value.encode()).decode() not in str(answer)
        in_clear = [key for key, live in world.cluster.objects.items() if value in str(live) and key[1] != "Secret"]
        assert in_clear == []
