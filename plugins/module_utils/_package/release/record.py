# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The release record: a Secret that is also the parent of an ApplySet (KEP-3659).

Other tools that know ApplySets recognise it and keep their hands off the objects; this collection reads from it
exactly which objects a package has, and what they were when they were applied.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..._errors import ClusterError
from ..._kube.change.live import Live
from ..._kube.change.record import Entry, Record, Release
from ..._kube.fields import text
from ..._kube.manifest import Identity

NAMESPACE = "kube-system"  # the one namespace that is always there and that no package brings
MANAGER = "hearth-applyset"
TOOL = "hearth/v0.1.0"
RECORD_LABEL = "hearth.cluster/record"

_ID_LABEL = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_KEY = "release"
_FORMAT = 1


def secret_name(package: str) -> str:
    return f"hearth-{package}"


def set_id(package: str) -> str:
    """The identifier that KEP-3659 prescribes for the parent's name, namespace, kind and group."""
    seed = f"{secret_name(package)}.{NAMESPACE}.Secret."
    digest = base64.urlsafe_b64encode(hashlib.sha256(seed.encode()).digest()).decode().rstrip("=")
    return f"applyset-{digest}-v1"


def write_record(record: Record) -> dict[str, Any]:
    """The Secret that holds a record; the same record gives the same bytes."""
    identities = [entry.identity for entry in record.entries]
    kinds = sorted({f"{each.kind}.{each.group}" if each.group else each.kind for each in identities})
    namespaces = sorted({each.namespace for each in identities} - {"", NAMESPACE})
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "hearth.cluster/release",
        "metadata": {
            "name": secret_name(record.package),
            "namespace": NAMESPACE,
            "labels": {_ID_LABEL: set_id(record.package), RECORD_LABEL: record.package},
            "annotations": {
                _TOOLING: TOOL,
                _KINDS: ",".join(kinds),
                **({_NAMESPACES: ",".join(namespaces)} if namespaces else {}),
            },
        },
        "data": {_KEY: base64.b64encode(gzip.compress(_encode(record), mtime=0)).decode()},
    }


def bare_record(package: str) -> dict[str, Any]:
    """The Secret before there is a release in it: only what is the same in every release, so that it changes none."""
    whole = write_record(Record(package))
    metadata = {**whole["metadata"], "annotations": {_TOOLING: TOOL}}
    return {**{key: value for key, value in whole.items() if key != "data"}, "metadata": metadata}


def _encode(record: Record) -> bytes:
    content = {
        "format": _FORMAT,
        "package": record.package,
        "healthy": record.healthy,
        "release": record.release,
        "history": [asdict(release) for release in record.history],
        "objects": [
            [
                entry.identity.group,
                entry.api_version,
                entry.identity.kind,
                entry.identity.namespace,
                entry.identity.name,
                entry.uid,
                entry.desired,
                entry.owned,
            ]
            for entry in sorted(record.entries, key=lambda entry: entry.identity)
        ],
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def read_record(package: str, live: Live | None) -> Record:
    """The record that a Secret holds; an empty one where there is none."""
    if live is None:
        return Record(package)
    tooling = text(live, "metadata", "annotations", _TOOLING)
    if tooling.partition("/")[0] not in ("", "hearth"):
        raise ClusterError(
            f"Secret {NAMESPACE}/{secret_name(package)} belongs to the tool {tooling}; remove it with that tool"
        )
    try:
        if not live.get("data"):
            return Record(package)
        content = json.loads(gzip.decompress(base64.b64decode(text(live, "data", _KEY))))
        return _decode(package, content)
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise ClusterError(
            f"The record of package {package}, Secret {NAMESPACE}/{secret_name(package)}, cannot be read: {error}."
            " A newer version of this collection may have written it; use that version, or delete the Secret:"
            " the next run then takes over what is there, and prunes nothing of what is no longer wanted"
        ) from error


def _decode(package: str, content: Mapping[str, Any]) -> Record:
    if content["format"] != _FORMAT:
        raise ValueError(f"it has format {content['format']}, known is {_FORMAT}")
    entries = tuple(
        Entry(Identity(group, kind, namespace, name), api_version, uid, desired, owned)
        for group, api_version, kind, namespace, name, uid, desired, owned in content["objects"]
    )
    history = tuple(Release(**release) for release in content.get("history", ()))
    return Record(package, entries, bool(content["healthy"]), content.get("release", 0), history)
