# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Change one object of the cluster, and watch until it is healthy again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import ClusterError, HearthError, InputError
from .._kube.change.live import Live, identity_of, label_of, owned_digest
from .._kube.change.steps import PACKAGE_LABEL
from .._kube.diff import difference
from .._kube.fields import field, mapping, text
from .._kube.health.expectation import Expectation, judge
from .._kube.health.verdict import Health, Surroundings
from .._kube.health.wait import Report, Waiter
from .._kube.manifest import Identity
from .._kube.near_miss import did_you_mean
from .._kube.patch.merge import merge
from .._kube.patch.merge_patch import merge_patch_between
from .._kube.patch.shapes import Definitions
from .._kube.patience import Clock, patiently
from .._kube.port import Cluster
from .._kube.resources import Collection, Resource
from .._kube.secret_data import as_stored
from .._kube.server.refusal import Reason, RefusedError, retry_delay
from .customise.patches import Patch, patched

_SECONDS_TO_RETRY = 60.0
_PAUSE = 0.1
_SHOWN = 5
_UNKNOWN_FIELD = re.compile(r'unknown field "([^"]+)"')


@dataclass(frozen=True)
class Change:
    """What is asked for: which object, what of it, and how long to wait for its health; 0 is not at all."""

    resource: Resource
    namespace: str
    name: str
    patch: Patch
    replace_lists: bool = False
    manager: str = ""
    seconds: float = 0.0
    expectations: tuple[Expectation, ...] = ()


@dataclass(frozen=True)
class Changed:
    """The object before and right after the patch, as it is by now, and how that is.

    What controllers do to it while it is waited for is no part of what the patch changed.
    """

    before: Live
    after: Live
    now: Live
    health: Health

    @property
    def identity(self) -> Identity:
        return identity_of(self.after)

    @property
    def fields(self) -> tuple[str, ...]:
        return difference(self.before, self.after).paths

    @property
    def package(self) -> str:
        return label_of(self.before, PACKAGE_LABEL)

    @property
    def will_be_taken_back(self) -> bool:
        """Whether fields changed that a package has set: its next run sets them again."""
        return bool(self.package) and owned_digest(self.before) != owned_digest(self.after)


@dataclass(frozen=True)
class Patcher:
    """Changes objects of one cluster; with `check` nothing is written and nothing waited for."""

    cluster: Cluster
    clock: Clock
    surroundings: Callable[[], Surroundings]
    report: Report
    check: bool = False

    def run(self, change: Change) -> Changed:
        before, after = patiently(
            lambda: self._attempt(change), clock=self.clock, seconds=_SECONDS_TO_RETRY, delay=_delay
        )
        now = after
        if change.seconds and not self.check:
            self._wait(change, identity_of(after), has_changed=after is not before)
            now = self._read(change)
        return Changed(before, after, now, judge(now, self.surroundings(), change.expectations))

    def _attempt(self, change: Change) -> tuple[Live, Live]:
        before = self._read(change)
        patch = self._merge_patch(change, before)
        if not patch:
            return before, before
        # Whoever writes in between is not overwritten: the patch is made anew from what is there then.
        version = {"resourceVersion": text(before, "metadata", "resourceVersion")}
        body = {**patch, "metadata": {**mapping(patch, "metadata"), **version}}
        try:
            after = self.cluster.patch(
                change.resource,
                change.namespace,
                change.name,
                body,
                kind="merge",
                dry_run=self.check,
                manager=change.manager,
            )
        except RefusedError as error:
            raise _explained(error, before) from None
        return before, after

    def _read(self, change: Change) -> Live:
        live = self.cluster.get(change.resource, change.namespace, change.name)
        if live is None:
            raise InputError(f"There is no {_named(change)} in this cluster; {self._advice(change)}")
        return live

    def _advice(self, change: Change) -> str:
        everywhere = self.cluster.list(Collection(change.resource, ""), metadata_only=True)
        same = [live for live in everywhere if text(live, "metadata", "name") == change.name]
        if same:
            places = sorted(text(live, "metadata", "namespace") for live in same)
            more = f" and {len(places) - _SHOWN} others" if len(places) > _SHOWN else ""
            return f"there is one in namespace {', '.join(places[:_SHOWN])}{more}"
        here = [live for live in everywhere if text(live, "metadata", "namespace") == change.namespace]
        if not here:
            return f"there is none at all{f' in namespace {change.namespace}' if change.namespace else ''}"
        return did_you_mean(change.name, (text(live, "metadata", "name") for live in here))

    def _merge_patch(self, change: Change, live: Live) -> dict[str, Any]:
        wanted = self._wanted(change, live)
        patch = merge_patch_between(live, wanted)
        if "status" in patch:
            raise InputError(f"{_named(change)}: status is what its controller reports; a patch cannot change it")
        return patch

    def _wanted(self, change: Change, live: Live) -> Mapping[str, Any]:
        try:
            if change.replace_lists and change.patch.kind == "merge":
                wanted: Mapping[str, Any] | None = merge(live, change.patch.content)
            else:
                definitions = self._definitions(change.resource) if change.patch.kind == "merge" else {}
                wanted = patched(live, change.patch, definitions)
        except InputError as error:
            raise InputError(f"{_named(change)}: {error}") from error
        if wanted is None:
            raise InputError(f"{_named(change)}: the patch deletes the object; this module only changes objects")
        return as_stored(wanted)

    def _definitions(self, resource: Resource) -> Definitions:
        """The definition of a custom kind, which says how its lists merge."""
        definitions = self.cluster.catalogue().find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if definitions is None or "." not in resource.group or resource.group.endswith(".k8s.io"):
            return {}
        found = self.cluster.get(definitions, "", f"{resource.plural}.{resource.group}")
        return {(resource.group, resource.kind): found} if found else {}

    def _wait(self, change: Change, identity: Identity, *, has_changed: bool) -> None:
        expected = {identity: change.expectations} if change.expectations else {}
        waiter = Waiter(self.cluster, self.clock, self.surroundings, self.report, expected)
        try:
            waiter.until_healthy([identity], selector="", seconds=change.seconds)
        except HearthError as error:
            error.details["changed"] = has_changed
            raise


def _delay(error: ClusterError, attempt: int) -> float | None:
    if isinstance(error, RefusedError) and error.reason is Reason.STALE:
        return _PAUSE
    return retry_delay(error, attempt)


def _named(change: Change) -> str:
    place = f"{change.namespace}/" if change.namespace else ""
    return f"{change.resource.kind} {place}{change.name}"


def _explained(error: RefusedError, live: Live) -> RefusedError:
    """Say of an unknown field what was probably meant, from the fields that the object has."""
    unknown = _UNKNOWN_FIELD.search(str(error))
    if unknown is None:
        return error
    *way, last = re.split(r"\.", re.sub(r"\[\d+\]", "", unknown[1]))
    close = did_you_mean(last, _names_at(live, way))
    return RefusedError(f"{error}; {close}", error.reason, status=error.status)


def _names_at(value: Any, way: list[str]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _names_at(item, way)
    elif isinstance(value, Mapping) and not way:
        yield from map(str, value)
    elif isinstance(value, Mapping):
        yield from _names_at(field(value, way[0]), way[1:])
