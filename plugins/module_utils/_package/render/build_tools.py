# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Objects that are built from fetched files: by kustomize, by jsonnet, by ytt.

What was built is kept, so that a run with nothing to do starts no program. Values may be secret: what they went into
is never kept, and neither is a Secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..._kube.manifest import Manifest, manifests_of
from ..._kube.yaml import Document, read_documents
from ..sources.cache import ParsedFiles
from ..sources.tree import Tree, refuse_outside, tree_digest
from .jsonnet import run_jsonnet
from .kustomization import check_kustomization
from .programs import kustomize_program, run_kustomize, run_ytt, ytt_program

Build = Callable[[], list[Document]]


def build_with(
    tool: str, tree: Tree, paths: Sequence[str], values: Mapping[str, Any], *, origin: str, parsed: ParsedFiles
) -> list[Manifest]:
    for path in paths:
        refuse_outside(path, origin)
    key, build = _TOOLS[tool](tree, paths, values, origin)
    recipe = json.dumps([tool, key, list(paths), tree_digest(tree)])
    documents = None if values else parsed.find_built(recipe)
    if documents is None:
        documents = build()
        if not values:
            parsed.keep_built(recipe, documents)
    return list(manifests_of(documents, origin))


def _kustomize(tree: Tree, paths: Sequence[str], _values: Mapping[str, Any], origin: str) -> tuple[str, Build]:
    check_kustomization(tree, paths[0], origin)
    program = kustomize_program()
    return program.key, lambda: _documents(run_kustomize(program, tree, paths[0], origin), origin)


def _ytt(tree: Tree, paths: Sequence[str], values: Mapping[str, Any], origin: str) -> tuple[str, Build]:
    program = ytt_program()
    return program.key, lambda: _documents(run_ytt(program, tree, paths, values, origin), origin)


def _jsonnet(tree: Tree, paths: Sequence[str], values: Mapping[str, Any], origin: str) -> tuple[str, Build]:
    return "", lambda: [Document(each, 1) for each in run_jsonnet(tree, paths[0], values, origin)]


def _documents(text: str, origin: str) -> list[Document]:
    return list(read_documents(text, origin))


_TOOLS: Mapping[str, Callable[[Tree, Sequence[str], Mapping[str, Any], str], tuple[str, Build]]] = {
    "jsonnet": _jsonnet,
    "kustomize": _kustomize,
    "ytt": _ytt,
}
