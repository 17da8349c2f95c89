# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The port `Cluster`, answered by a real API server."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from ..change.live import FIELD_MANAGER, Live
from ..fields import sequence, text
from ..parallel import in_parallel
from ..port import Changes, Page
from ..resources import Catalogue, Collection, Resource, resources_of_discovery
from .client import Access, Connection, connect
from .refusal import Reason, RefusedError, refusal

_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_DISCOVERY_BEFORE_1_30 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

_PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class ApiServer:
    """Talks to one API server over a keep-alive pool; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._catalogue: Catalogue | None = None
        self._discovering = threading.Lock()

    def version(self) -> str:
        answer = self._connection.json("GET", "/version", doing="ask for the server's version")
        return str(answer["gitVersion"])

    def catalogue(self, *, fresh: bool = False) -> Catalogue:
        with self._discovering:  # one after the other, so that a later answer is never replaced by an earlier one
            if self._catalogue is None or fresh:
                core, groups = in_parallel(self._discover, ("/api", "/apis"))
                self._catalogue = Catalogue([*resources_of_discovery(core), *resources_of_discovery(groups)])
            return self._catalogue

    def _discover(self, root: str) -> Any:
        accept = f"{_DISCOVERY},{_DISCOVERY_BEFORE_1_30}"
        answer = self._connection.json("GET", root, doing="ask for the served kinds", accept=accept)
        if answer.get("kind") != "APIGroupDiscoveryList":
            raise RefusedError(
                f"The API server {self._connection.server} is older than Kubernetes 1.27, which this collection needs",
                Reason.OTHER,
            )
        return answer

    def may(self, verb: str, resource: Resource, namespace: str) -> bool:
        asked = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self._connection.json("POST", path, body=review, doing="ask for the rights of these credentials")
        return bool(answer["status"]["allowed"])

    def get(self, resource: Resource, namespace: str, name: str) -> Live | None:
        doing = f"read {_words(resource, namespace, name)}"
        try:
            answer = self._connection.json("GET", resource.path(namespace, name), doing=doing)
        except RefusedError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise
        return dict(answer)

    def list(self, collection: Collection, *, selector: str = "", metadata_only: bool = False) -> Sequence[Live]:
        resource = collection.resource
        where = f" in namespace {collection.namespace}" if collection.namespace else ""
        found: list[Live] = []
        token = ""
        while True:
            query = {"limit": "500"}
            if selector:
                query["labelSelector"] = selector
            if token:
                query["continue"] = token
            answer = self._connection.json(
                "GET",
                collection.path,
                query=query,
                doing=f"list {resource.plural}{where}",
                accept=_METADATA_LIST if metadata_only else "application/json",
            )
            stated = {"apiVersion": resource.api_version, "kind": resource.kind}
            found += [{**item, **stated} for item in answer.get("items") or ()]
            token = answer["metadata"].get("continue") or ""
            if not token:
                return found

    def apply(
        self, resource: Resource, content: Live, *, force: bool = False, dry_run: bool = False, manager: str = ""
    ) -> Live:
        namespace, name = content["metadata"].get("namespace") or "", content["metadata"]["name"]
        query = {
            "fieldManager": manager or FIELD_MANAGER,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        answer = self._connection.json(
            "PATCH",
            resource.path(namespace, name),
            query=query,
            body=content,
            content_type="application/apply-patch+yaml",
            doing=f"apply {_words(resource, namespace, name)}",
            secret=resource.kind == "Secret",
        )
        return dict(answer)

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
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if dry_run:
            options["dryRun"] = ["All"]
        doing = f"delete {_words(resource, namespace, name)}"
        try:
            self._connection.json("DELETE", resource.path(namespace, name), body=options, doing=doing)
        except RefusedError as error:
            if error.reason is Reason.NOT_FOUND:
                return False
            raise
        return True

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
        query = {
            "fieldManager": manager or FIELD_MANAGER,
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry_run else {}),
        }
        answer = self._connection.json(
            "PATCH",
            resource.path(namespace, name),
            query=query,
            body=patch,
            content_type=_PATCH_TYPES[kind],
            doing=f"patch {_words(resource, namespace, name)}",
            secret=resource.kind == "Secret",
        )
        return dict(answer)

    def watch(self, collections: Sequence[Collection], *, selector: str = "") -> Changes:
        from .watching import Watching  # noqa: PLC0415  # a run that waits for nothing starts without it

        return Watching(self._connection, collections, selector)

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 20) -> str:
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            return self._connection.text(path, query=query, doing=f"read the log of pod {namespace}/{pod}")
        except RefusedError:
            return ""  # a log explains a failure; that it cannot be read must not hide that failure

    def evict(self, namespace: str, pod: str, *, uid: str, grace_period: int | None = None) -> str:
        options: dict[str, Any] = {"preconditions": {"uid": uid}}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        metadata = {"namespace": namespace, "name": pod}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
        doing = f"evict pod {namespace}/{pod}"
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        answer = self._connection.answer("POST", path, body=body, doing=doing)
        if answer.status < 300 or answer.status in (404, 409):  # 409: it is another pod of that name by now
            return ""
        held = why_not_now(answer.status, answer.body)
        if not held:
            raise refusal(answer.status, answer.body, doing=doing, retry_after=answer.retry_after)
        return held

    def page(self, path: str) -> Page:
        answer = self._connection.answer("GET", path, doing=f"read {path}", accept="text/plain, */*")
        return Page(answer.status, answer.body.decode(errors="replace"))


def why_not_now(code: int, body: bytes) -> str:
    """Why a pod was not evicted though it may go later; nothing where the eviction itself is at fault."""
    try:
        status = json.loads(body)
    except ValueError:
        return ""
    causes = {text(each, "reason"): text(each, "message") for each in sequence(status, "details", "causes")}
    if code == 429 and "DisruptionBudget" in causes:
        return causes["DisruptionBudget"] or text(status, "message")
    if code == 403 and "NamespaceTerminating" in causes:
        return "its namespace is being deleted, and takes the pod with it"
    return ""


def _words(resource: Resource, namespace: str, name: str) -> str:
    return f"{resource.kind} {namespace}/{name}" if namespace else f"{resource.kind} {name}"


def open_cluster(access: Access) -> ApiServer:
    return ApiServer(connect(access))
