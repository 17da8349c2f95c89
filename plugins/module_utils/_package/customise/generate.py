# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. ConfigMaps and Secrets made from files and values.

Their names end with a digest of their content (kustomize's), and what refers to them is rewritten: changed content
means a new name, so pods that use it are replaced, and a roll-back finds the old content still there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._errors import InputError
from ..._kube.manifest import Manifest
from ..options import Options, flag, mapping_of, scalar_text, text, texts

Files = Mapping[str, bytes]
_NOTHING: tuple[str, ...] = ()
ReadFiles = Callable[[str], Files]


@dataclass(frozen=True)
class Generated:
    """What a ConfigMap or Secret is made from. The keys of files are their names without folders."""

    kind: str
    name: str
    namespace: str = ""
    files: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    type: str = "Opaque"
    hashed: bool = True


def read_generated(kind: str) -> Callable[[Any, str], Generated]:
    def read(value: Any, place: str) -> Generated:
        options = Options(value, place)
        generated = Generated(
            kind,
            name=options.need("name", text),
            namespace=options.take("namespace", text, ""),
            files=options.take("files", texts, _NOTHING),
            values=options.take("values", mapping_of(scalar_text), {}),
            type=options.take("type", text, "Opaque") if kind == "Secret" else "",
            hashed=options.take("hash", flag, True),
        )
        options.finish()
        if not generated.files and not generated.values:
            raise options.fail("files or values is missing: there is nothing to put into it")
        return generated

    return read


def generate(wanted: Generated, read_files: ReadFiles, place: str) -> Manifest:
    """Make the object; `read_files` gives what a pattern matches, by file name."""
    data: dict[str, bytes] = {key: value.encode() for key, value in wanted.values.items()}
    for pattern in wanted.files:
        for name, raw in read_files(pattern).items():
            if name in data:
                raise InputError(f"{place}: {wanted.kind} {wanted.name} would have two values under the key {name!r}")
            data[name] = raw
    content = _secret(wanted, data) if wanted.kind == "Secret" else _config_map(data)
    metadata = {"name": wanted.name, **({"namespace": wanted.namespace} if wanted.namespace else {})}
    whole = {"apiVersion": "v1", "kind": wanted.kind, "metadata": metadata, **content}
    if wanted.hashed:
        metadata["name"] = f"{wanted.name}-{name_digest(whole)}"
    return Manifest(whole, f"{place}: {wanted.kind} {wanted.name}")


def _secret(wanted: Generated, data: Mapping[str, bytes]) -> dict[str, Any]:
    return {"type": wanted.type, "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def _config_map(data: Mapping[str, bytes]) -> dict[str, Any]:
    texts_found, binaries = {}, {}
    for key, value in data.items():
        try:
            texts_found[key] = value.decode()
        except UnicodeDecodeError:
            binaries[key] = base64.b64encode(value).decode()
    return {"data": texts_found, **({"binaryData": binaries} if binaries else {})}


_FRIENDLY = str.maketrans("013ae", "ghkmt")  # no accidental words, nothing that looks like another character


def name_digest(content: Mapping[str, Any]) -> str:
    """The ten characters that kustomize appends to the name of such an object."""
    seed: dict[str, Any] = {
        "data": content.get("data") or {},
        "kind": content["kind"],
        "name": content["metadata"]["name"],
    }
    if content.get("binaryData"):
        seed["binaryData"] = content["binaryData"]
    if content["kind"] == "Secret":
        seed["type"] = content.get("type") or ""
    canonical = json.dumps(seed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10].translate(_FRIENDLY)


# Fields that name a ConfigMap or a Secret: the key under which the reference stands, and the field in it.
_REFERENCES: Mapping[str, Mapping[str, str]] = {
    "ConfigMap": {"configMap": "name", "configMapRef": "name", "configMapKeyRef": "name"},
    "Secret": {
        "secret": "secretName",
        "secretRef": "name",
        "secretKeyRef": "name",
        "nodePublishSecretRef": "name",
        "passwordSecret": "name",
    },
}
_BARE_SECRET_FIELDS = frozenset({"secretName"})
_SECRET_LISTS = frozenset({"imagePullSecrets"})


def rewrite_references(manifests: Iterable[Manifest], renamed: Mapping[tuple[str, str], str]) -> list[Manifest]:
    """Replace the plain names of generated objects by the names they got, wherever an object refers to them."""
    if not renamed:
        return list(manifests)
    return [manifest.with_content(_rewrite(manifest.content, renamed)) for manifest in manifests]


def _rewrite(value: Any, renamed: Mapping[tuple[str, str], str], key: str = "") -> Any:
    if isinstance(value, list):
        return [_rewrite(item, renamed, key) for item in value]
    if not isinstance(value, Mapping):
        return renamed.get(("Secret", value), value) if key in _BARE_SECRET_FIELDS and isinstance(value, str) else value
    rewritten = {name: _rewrite(part, renamed, name) for name, part in value.items()}
    for kind, references in _REFERENCES.items():
        named = references.get(key, "")
        _rename(rewritten, kind, named, renamed)
        if key in references:  # a projected volume says name where a volume says secretName
            _rename(rewritten, kind, "name", renamed)
    if key in _SECRET_LISTS:
        _rename(rewritten, "Secret", "name", renamed)
    return rewritten


def _rename(value: dict[str, Any], kind: str, named: str, renamed: Mapping[tuple[str, str], str]) -> None:
    if isinstance(value.get(named), str):
        value[named] = renamed.get((kind, value[named]), value[named])
