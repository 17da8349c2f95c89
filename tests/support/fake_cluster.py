# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory that answers the port as an API server does; ``contract.py`` holds for both.

It knows who owns which field: server-side apply with conflicts, removal of what is applied no more, and loss of
ownership when somebody else changes a field. Lists are atomic here; what real lists do is tested on a real API server.
"""

from __future__ import annotations

import copy
import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from ansible_collections.hearth.cluster.plugins.module_utils._kube.change.live import FIELD_MANAGER, Live
from ansible_collections.hearth.cluster.plugins.module_utils._kube.manifest import Manifest
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.json_patch import json_patch
from ansible_collections.hearth.cluster.plugins.module_utils._kube.patch.merge import merge
from ansible_collections.hearth.cluster.plugins.module_utils._kube.port import Page
from ansible_collections.hearth.cluster.plugins.module_utils._kube.resources import Catalogue, Collection, Resource
from ansible_collections.hearth.cluster.plugins.module_utils._kube.selector import parse_selector, selector_of
from ansible_collections.hearth.cluster.plugins.module_utils._kube.server.refusal import (
    FieldConflict,
    Reason,
    RefusedError,
)

Path = tuple[str, ...]
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

BUILT_IN = tuple(
    Resource(group, version, kind, plural, namespaced)
    for group, version, kind, plural, namespaced in (
        ("", "v1", "ConfigMap", "configmaps", True),
        ("", "v1", "Event", "events", True),
        ("", "v1", "Namespace", "namespaces", False),
        ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True),
        ("", "v1", "Node", "nodes", False),
        ("", "v1", "PersistentVolume", "persistentvolumes", False),
        ("", "v1", "Pod", "pods", True),
        ("", "v1", "Secret", "secrets", True),
        ("", "v1", "Service", "services", True),
        ("", "v1", "ServiceAccount", "serviceaccounts", True),
        ("", "v1", "Node", "nodes", False),
        ("apps", "v1", "DaemonSet", "daemonsets", True),
        ("apps", "v1", "Deployment", "deployments", True),
        ("apps", "v1", "ReplicaSet", "replicasets", True),
        ("apps", "v1", "StatefulSet", "statefulsets", True),
        ("batch", "v1", "Job", "jobs", True),
        ("coordination.k8s.io", "v1", "Lease", "leases", True),
        ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", True),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
        ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", True),
        ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False),
        (
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            False,
        ),
    )
)

PODS = next(each for each in BUILT_IN if each.kind == "Pod")
BUDGETS = next(each for each in BUILT_IN if each.kind == "PodDisruptionBudget")

# Fields that this cluster does not let anybody change.
IMMUTABLE: Mapping[str, Path] = {
    "Deployment": ("spec", "selector"),
    "PersistentVolumeClaim": ("spec", "accessModes"),
    "RoleBinding": ("roleRef",),
    "Secret": ("type",),
}


def one_at_a_time(
    answer: Callable[Concatenate[FakeCluster, Asked], Answer],
) -> Callable[Concatenate[FakeCluster, Asked], Answer]:
    """Objects are applied from several threads; each request sees a cluster that none of the others is changing."""

    @functools.wraps(answer)
    def in_turn(cluster: FakeCluster, *arguments: Asked.args, **options: Asked.kwargs) -> Answer:
        with cluster.turn:
            return answer(cluster, *arguments, **options)

    return in_turn


class FakeCluster:
    """Everything is in `objects`; `writes` tells in order what was written, `broken` makes requests fail."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.writes: list[str] = []
        self.turn = threading.RLock()
        self.requests = 0
        self.broken: list[tuple[str, RefusedError]] = []
        self.lacking: set[tuple[str, str]] | None = None  # verbs and kinds; None is somebody who may do everything
        self.container_logs: dict[str, str] = {}
        self.events: list[Live] = []
        self.pages: dict[str, Page] = {"/readyz": Page(200, "ok")}
        self.after_eviction: Callable[[Live], None] = lambda _pod: None
        self.pass_time: Callable[[float], None] = lambda _seconds: None
        self._numbers = itertools.count(1)
        for name in ("default", "kube-system"):
            self.apply(BUILT_IN[2], {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.writes.clear()
        self.requests = 0

    # The port

    def version(self) -> str:
        return "v1.36.0"

    @one_at_a_time
    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        definitions = [Manifest(item) for item in self.objects.values() if item["kind"] == "CustomResourceDefinition"]
        return Catalogue(BUILT_IN).with_definitions(definitions)

    def may(self, verb: str, resource: Resource, namespace: str) -> bool:
        asked = (verb, resource.kind)
        return self.lacking is None or (asked not in self.lacking and "*" not in asked)

    @one_at_a_time
    def get(self, resource: Resource, namespace: str, name: str) -> Live | None:
        self.requests += 1
        return copy.deepcopy(self.objects.get(_key(resource, namespace, name)))

    @one_at_a_time
    def list(self, collection: Collection, *, selector: str = "", metadata_only: bool = False) -> Sequence[Live]:
        self.requests += 1
        return [_metadata(each) if metadata_only else each for each in self._select(collection, selector)]

    @one_at_a_time
    def apply(
        self, resource: Resource, content: Live, *, force: bool = False, dry_run: bool = False, manager: str = ""
    ) -> Live:
        self.requests += 1
        namespace, name = content["metadata"].get("namespace") or "", content["metadata"]["name"]
        doing = f"apply {_words(resource, namespace, name)}"
        self._fail_if_broken("apply", resource, name, doing)
        self._check(resource, namespace, content, doing)
        live = self.objects.get(_key(resource, namespace, name))
        content = _without_stale_version(content, live, doing)
        result = _applied(live, content, manager or FIELD_MANAGER, force=force, doing=doing)
        self._check_immutable(resource, live, result, doing)
        if live is None:
            result["metadata"]["uid"] = f"uid-{next(self._numbers)}"
            result["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
        if dry_run or result == live:
            return copy.deepcopy(result)
        self._store(resource, namespace, name, result)
        self.writes.append(f"apply {_words(resource, namespace, name)}")
        return copy.deepcopy(result)

    @one_at_a_time
    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        grace_period: int | None = None,
        dry_run: bool = False,
    ) -> bool:
        self.requests += 1
        live = self.objects.get(_key(resource, namespace, name))
        if live is None:
            return False
        doing = f"delete {_words(resource, namespace, name)}"
        self._fail_if_broken("delete", resource, name, doing)
        if uid and uid != live["metadata"]["uid"]:
            raise RefusedError(f"Cannot {doing}: the UID in the precondition differs", Reason.STALE, status=409)
        if dry_run:
            return True
        how = [propagation] if propagation != "Background" else []
        how += [] if grace_period is None else [f"within {grace_period} s"]
        self.writes.append(f"{doing} ({', '.join(how)})" if how else doing)
        self._remove(resource, live)
        return True

    @one_at_a_time
    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: str,
        dry_run: bool = False,
        manager: str = "",
    ) -> Live:
        self.requests += 1
        doing = f"patch {_words(resource, namespace, name)}"
        live = self.objects.get(_key(resource, namespace, name))
        if live is None:
            raise RefusedError(f"Cannot {doing}: not found", Reason.NOT_FOUND, status=404)
        self._fail_if_broken("patch", resource, name, doing)
        result: dict[str, Any] = json_patch(live, patch) if kind == "json" else merge(live, patch)
        if result["metadata"].get("uid") != live["metadata"].get("uid"):
            raise RefusedError(f"Cannot {doing}: metadata.uid: field is immutable", Reason.IMMUTABLE, status=422)
        self._check(resource, namespace, _without_stale_version(result, live, doing), doing)
        if result == live:
            return copy.deepcopy(result)
        result = _owned_by_patcher(live, result, manager or FIELD_MANAGER)
        if not dry_run:
            self._store(resource, namespace, name, result)
            self.writes.append(doing)
        return copy.deepcopy(result)

    @one_at_a_time
    def watch(self, collections: Sequence[Collection], *, selector: str = "") -> Happening:
        existing = [each for collection in collections for each in self._select(collection, selector)]
        return Happening([*existing, *self.events], self.pass_time)

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 20) -> str:
        return self.container_logs.get(f"{namespace}/{pod}/{container}", "")

    @one_at_a_time
    def evict(self, namespace: str, pod: str, *, uid: str, grace_period: int | None = None) -> str:
        self.requests += 1
        doing = f"evict Pod {namespace}/{pod}"
        self._fail_if_broken("evict", PODS, pod, doing)
        live = self.objects.get(_key(PODS, namespace, pod))
        if live is None or live["metadata"]["uid"] != uid:
            return ""
        said = self._said_of_budgets(live, doing)
        if said:
            return said
        self.writes.append(doing)
        self._remove(PODS, live)
        self.after_eviction(live)
        return ""

    def page(self, path: str) -> Page:
        self.requests += 1
        return self.pages.get(path.partition("?")[0], Page(404, "404 page not found"))

    def _said_of_budgets(self, pod: Live, doing: str) -> str:
        """What a real server says; pods here are all healthy, so those that a budget selects are those it counts."""
        namespace = pod["metadata"]["namespace"]
        over = [
            budget
            for budget in self._select(Collection(BUDGETS, namespace), "")
            if selector_of(budget["spec"]["selector"]).fits(pod["metadata"].get("labels") or {})
        ]
        if len(over) > 1:
            raise RefusedError(
                f"Cannot {doing}: This pod has more than one PodDisruptionBudget", Reason.BUSY, status=500
            )
        for budget in over:
            wanted = budget["spec"].get("minAvailable", 1)
            selector = str(selector_of(budget["spec"]["selector"]))
            healthy = len(self._select(Collection(PODS, namespace), selector))
            if healthy <= wanted:
                name = budget["metadata"]["name"]
                return f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        return ""

    # What others do to the cluster

    @one_at_a_time
    def changed_by(
        self, manager: str, resource: Resource, namespace: str, name: str, change: Mapping[str, Any]
    ) -> None:
        """Somebody else changes fields, without server-side apply: from then on the fields are theirs."""
        live = self.objects[_key(resource, namespace, name)]
        changed = _taken(merge(live, change), manager, set(_leaves(change)))
        self._store(resource, namespace, name, changed)

    def _store(self, resource: Resource, namespace: str, name: str, content: dict[str, Any]) -> None:
        if "deletionTimestamp" in content["metadata"] and not content["metadata"].get("finalizers"):
            del self.objects[_key(resource, namespace, name)]
            return
        content["metadata"]["resourceVersion"] = str(next(self._numbers))
        self.objects[_key(resource, namespace, name)] = content
        if content["kind"] == "CustomResourceDefinition":
            content.setdefault("status", {"conditions": [{"type": "Established", "status": "True"}]})

    def _remove(self, resource: Resource, live: Live) -> None:
        if live["metadata"].get("finalizers"):
            live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        else:
            del self.objects[_key(resource, live["metadata"].get("namespace") or "", live["metadata"]["name"])]

    def _select(self, collection: Collection, selector: str) -> list[dict[str, Any]]:
        wanted = parse_selector(selector)
        return [
            copy.deepcopy(live)
            for (group, kind, namespace, _name), live in sorted(self.objects.items())
            if (group, kind) == (collection.resource.group, collection.resource.kind)
            and collection.namespace in ("", namespace)
            and wanted.fits(live["metadata"].get("labels") or {})
        ]

    def _check(self, resource: Resource, namespace: str, content: Live, doing: str) -> None:
        if resource.namespaced and ("", "Namespace", "", namespace) not in self.objects:
            raise RefusedError(f'Cannot {doing}: namespaces "{namespace}" not found', Reason.NOT_FOUND, status=404)
        if resource.kind == "ConfigMap":
            unknown = set(content) - {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"}
            for name in unknown:
                message = f"Cannot {doing}: failed to create typed patch object: .{name}: field not declared in schema"
                raise RefusedError(message, Reason.MISFIT, status=500)

    def _check_immutable(self, resource: Resource, live: Live | None, result: Live, doing: str) -> None:
        path = IMMUTABLE.get(resource.kind)
        if live is None or path is None:
            return
        before, after = live, result
        for step in path:
            before, after = (before or {}).get(step), (after or {}).get(step)
        if before != after:
            raise RefusedError(f"Cannot {doing}: {'.'.join(path)}: field is immutable", Reason.IMMUTABLE, status=422)

    def _fail_if_broken(self, verb: str, resource: Resource, name: str, doing: str) -> None:
        for number, (what, error) in enumerate(self.broken):
            if what == f"{verb} {resource.kind} {name}":
                del self.broken[number]
                raise error


class Happening:
    """The changes of a watch: what was there, then what the test says happens."""

    def __init__(self, events: Sequence[Live], pass_time: Callable[[float], None]) -> None:
        self._events = list(events)
        self._pass_time = pass_time

    def next(self, seconds: float) -> Live | None:
        if self._events:
            return self._events.pop(0)
        self._pass_time(seconds)
        return None

    def __enter__(self) -> Happening:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.clear()


def _owned_by_patcher(live: Live, result: dict[str, Any], manager: str) -> dict[str, Any]:
    """What a patch changes is its manager's; a patch of the ownership itself stands as it is."""
    entries = live["metadata"].get("managedFields")
    if result["metadata"].get("managedFields") != entries:
        return result
    paths = {path for path in (*_leaves(live), *_leaves(result)) if path[:2] != ("metadata", "managedFields")}
    return _taken(result, manager, {path for path in paths if _value(live, path) != _value(result, path)})


def _taken(content: Live, manager: str, touched: set[Path]) -> dict[str, Any]:
    result: dict[str, Any] = copy.deepcopy(dict(content))
    entries = result["metadata"].setdefault("managedFields", [])
    for entry in entries:
        entry["fieldsV1"] = _tree(set(_paths(entry["fieldsV1"])) - touched)
    own = {"manager": manager, "operation": "Update", "apiVersion": result["apiVersion"], "fieldsV1": _tree(touched)}
    result["metadata"]["managedFields"] = [*entries, own]
    return result


def _without_stale_version(content: Live, live: Live | None, doing: str) -> Live:
    """A resourceVersion in what is applied is a condition, not a field."""
    metadata = dict(content["metadata"])
    expected = metadata.pop("resourceVersion", None)
    if expected is not None and (live is None or live["metadata"]["resourceVersion"] != expected):
        raise RefusedError(f"Cannot {doing}: the object has been modified", Reason.STALE, status=409)
    return {**content, "metadata": metadata}


def _key(resource: Resource, namespace: str, name: str) -> tuple[str, str, str, str]:
    return resource.group, resource.kind, namespace if resource.namespaced else "", name


def _words(resource: Resource, namespace: str, name: str) -> str:
    return f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"


def _metadata(live: Mapping[str, Any]) -> dict[str, Any]:
    return {key: live[key] for key in ("apiVersion", "kind", "metadata")}


_UNOWNED = {("metadata", "name"), ("metadata", "namespace"), ("apiVersion",), ("kind",)}


def _leaves(content: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            yield from _leaves(value, (*path, key))
    elif path not in _UNOWNED:
        yield path


def _tree(paths: set[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        branch = tree
        for step in path:
            branch = branch.setdefault(f"f:{step}", {})
    return tree


def _paths(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for key, branch in tree.items():
        here = (*path, key.removeprefix("f:"))
        if branch:
            yield from _paths(branch, here)
        else:
            yield here


def _value(content: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(content, Mapping) or step not in content:
            return None
        content = content[step]
    return content


def _applied(live: Live | None, content: Live, manager: str, *, force: bool, doing: str) -> dict[str, Any]:
    wanted = set(_leaves(content))
    result: dict[str, Any] = copy.deepcopy(dict(live)) if live else {"metadata": {}}
    entries = result["metadata"].pop("managedFields", [])
    others = [entry for entry in entries if (entry["manager"], entry["operation"]) != (manager, "Apply")]
    mine = next((entry for entry in entries if entry not in others), None)
    changing = {path for path in wanted if _value(result, path) != _value(content, path)}
    _refuse_conflicts(others, changing, force=force, doing=doing)
    for entry in others:
        entry["fieldsV1"] = _tree(set(_paths(entry["fieldsV1"])) - changing)
    theirs = {path for entry in others for path in _paths(entry["fieldsV1"])}
    for path in (set(_paths(mine["fieldsV1"])) if mine else set()) - wanted - theirs:
        _remove(result, path)
    result = merge(result, copy.deepcopy(dict(content)))
    own = {"manager": manager, "operation": "Apply", "apiVersion": content["apiVersion"], "fieldsV1": _tree(wanted)}
    result["metadata"]["managedFields"] = [*(entry for entry in others if entry["fieldsV1"]), own]
    return result


def _refuse_conflicts(others: Sequence[Mapping[str, Any]], changing: set[Path], *, force: bool, doing: str) -> None:
    conflicts = tuple(
        FieldConflict("." + ".".join(path), entry["manager"])
        for entry in others
        for path in sorted(changing & set(_paths(entry["fieldsV1"])))
    )
    if conflicts and not force:
        told = "; ".join(f"{each.field} is owned by {each.manager}" for each in conflicts)
        raise RefusedError(f"Cannot {doing}: {told}", Reason.CONFLICT, status=409, conflicts=conflicts)


def _remove(content: dict[str, Any], path: Path) -> None:
    *way, last = path
    branch = content
    for step in way:
        branch = branch.get(step) or {}
    branch.pop(last, None)
