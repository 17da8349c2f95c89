# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks of charts: in which order they are written, when they run again, and when they do not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.hearth.cluster.plugins.module_utils._errors import InputError
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._package.release.history import set_digest
from ansible_collections.hearth.cluster.plugins.module_utils._package.render.hooks import (
    GOING_BACK,
    acts,
    acts_around_removal,
    as_steps,
    due,
    for_removal,
    on_the_way_back,
    wanted,
)
from ansible_collections.hearth.cluster.plugins.module_utils._package.render.unsteady import steadied


def made(name: str, hook: str = "", *, kind: str = "Job", weight: str = "0", **spec: Any) -> Manifest:
    annotations = {"helm.sh/hook": hook, "helm.sh/hook-weight": weight} if hook else {}
    metadata = {"name": name, "annotations": annotations}
    template = {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    content = {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {"template": template, **spec}}
    return Manifest(content)


def names(manifests: Any) -> list[str]:
    return sorted(each.identity.name if isinstance(each, Manifest) else each.name for each in manifests)


def test_hooks_come_before_and_after_by_weight() -> None:
    everything = [
        made("crd", kind="CustomResourceDefinition"),
        made("last", "post-install,post-upgrade", weight="10"),
        made("main", kind="Deployment"),
        made("first", "pre-install,pre-upgrade", weight="-5"),
        made("right", "pre-install", kind="ServiceAccount", weight="-5"),
        made("second", "pre-install,pre-upgrade"),
    ]
    played = acts(everything, {everything[0].identity})
    assert [names(act.identities) for act in played] == [["crd"], ["first", "right"], ["second"], ["main"], ["last"]]
    assert [names(act.runs) for act in played] == [[], ["first"], ["second"], [], ["last"]]
    assert [act.awaits_all for act in played] == [False, False, False, True, False]


def test_without_hooks_there_is_one_act() -> None:
    everything = [made("a", kind="Deployment"), made("b", kind="CustomResourceDefinition")]
    (act,) = acts(everything, {everything[1].identity})
    assert names(act.identities) == ["a", "b"]


def test_what_tests_is_left_out() -> None:
    assert wanted([made("a", "test"), made("b", "test-success")]) == []
    assert names(wanted([made("a", "test, post-install"), made("b", "crd-install")])) == ["a", "b"]


def test_what_is_for_a_removal_or_a_rollback_is_kept_for_it() -> None:
    hooks = ["pre-delete", "post-delete", "pre-rollback,post-rollback"]
    everything = as_steps(wanted([made(f"j{number}", hook) for number, hook in enumerate(hooks)]))
    assert len(everything) == len(hooks)
    assert due(everything, (), upgrades=True) == ()


def test_a_removal_has_hooks_before_and_after_it() -> None:
    hooks = for_removal(
        as_steps(
            [
                made("web", kind="Deployment"),
                made("goodbye", "post-install,pre-delete", ttlSecondsAfterFinished=0),
                made("account", "pre-delete", kind="ServiceAccount", weight="-1"),
                made("swept", "post-delete"),
            ]
        )
    )
    before, after = acts_around_removal(hooks)
    assert [names(act.identities) for act in before] == [["account"], ["goodbye"]]
    assert [names(act.runs) for act in before] == [[], ["goodbye"]]
    assert [names(act.identities) for act in after] == [["swept"]]
    job = next(each for each in hooks if each.identity.name == "goodbye")
    assert not job.create_only  # it has been run by the install, and runs again
    assert set(job.content["spec"]) == {"template"}


def test_a_job_runs_again_when_anything_else_changes_and_only_then() -> None:
    def job(image: str) -> Manifest:
        return as_steps([made("web", kind="Deployment", image=image), made("job", "pre-install,pre-upgrade")])[1]

    assert job("a").digest == job("a").digest
    before, after = (job(image).content["spec"]["template"]["metadata"]["annotations"] for image in "ab")
    assert before != after


def test_what_is_for_the_first_install_is_made_once() -> None:
    (job,) = as_steps([made("job", "pre-install")])
    assert job.create_only
    (job,) = as_steps([made("job", "post-install,post-upgrade")])
    assert not job.create_only


def test_a_job_does_not_remove_itself() -> None:
    (job,) = as_steps([made("job", "pre-install,pre-upgrade", ttlSecondsAfterFinished=0)])
    assert set(job.content["spec"]) == {"template"}
    assert made("job", ttlSecondsAfterFinished=0) in as_steps([made("job", ttlSecondsAfterFinished=0)])


def test_what_is_for_upgrades_waits_for_one_and_stays() -> None:
    everything = as_steps([made("web", kind="Deployment"), made("job", "pre-upgrade")])
    job = everything[1].identity
    assert names(due(everything, (), upgrades=False)) == ["web"]
    assert names(due(everything, (), upgrades=True)) == ["job", "web"]
    assert names(due(everything, {job}, upgrades=False)) == ["job", "web"]
    assert set_digest(everything) == set_digest(everything[:1])


def test_who_goes_back_runs_nothing_but_keeps_what_was_made() -> None:
    everything = [
        made("web", kind="Deployment"),
        made("job", "pre-install,pre-upgrade"),
        made("once", "pre-install"),
        made("account", "pre-upgrade", kind="ServiceAccount"),
    ]
    assert names(on_the_way_back(everything, "seal")) == ["account", "once", "web"]


def test_who_goes_back_runs_what_is_for_that() -> None:
    everything = [made("web", kind="Deployment"), made("job", "pre-upgrade,pre-rollback"), made("gone", "pre-delete")]
    first, again, other = (on_the_way_back(everything, seal) for seal in ("1", "1", "2"))
    assert names(first) == ["job", "web"]
    assert first == again
    assert first[-1].digest != other[-1].digest  # another way back runs it again
    played = acts(first, (), GOING_BACK)
    assert [names(act.identities) for act in played] == [[], ["job"], ["web"]]


def test_a_webhook_is_kept_with_the_certificate_it_fits_to() -> None:
    def rendered(value: str) -> list[Manifest]:
        hook = {"webhooks": [{"name": "a", "clientConfig": {"caBundle": value}}]}
        secret = {"data": {"tls.key": value}}
        metadata = {"metadata": {"name": "a"}}
        return [
            Manifest({"apiVersion": "x/v1", "kind": "ValidatingWebhookConfiguration", **metadata, **hook}),
            Manifest({"apiVersion": "v1", "kind": "Secret", **metadata, **secret}),
            Manifest({"apiVersion": "v1", "kind": "ConfigMap", **metadata}),
        ]

    first = steadied(rendered("x"), rendered("y"), "chart")
    assert [each.create_only for each in first] == [True, True, False]
    assert first[0].content["webhooks"][0]["clientConfig"]["caBundle"] == "x"
    assert steadied(rendered("x"), rendered("x"), "chart") == rendered("x")


def test_a_field_that_changes_in_a_list_is_named() -> None:
    with pytest.raises(InputError, match=r"Job a gets another spec\.x\.1\.y each time"):
        steadied([made("a", x=[1, {"y": 1}])], [made("a", x=[1, {"y": 2}])], "chart")
