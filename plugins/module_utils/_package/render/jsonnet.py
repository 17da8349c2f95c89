# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Jsonnet, by the library rjsonnet; imports are read from what was fetched alone."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from ..._errors import InputError
from ..sources.tree import Tree

_LIBRARIES = ("", "vendor", "lib")


def run_jsonnet(tree: Tree, file: str, values: Mapping[str, Any], origin: str) -> list[Any]:
    """The objects that a file gives; every value is an external variable of its name."""
    try:
        import rjsonnet  # noqa: PLC0415  # only where a package needs it
    except ImportError as error:
        raise InputError(
            f"source.jsonnet needs the Python library rjsonnet, which is not installed for {sys.executable}; install it"
            f" with '{sys.executable} -m pip install rjsonnet'"
        ) from error
    path = posixpath.normpath(file)
    if path not in tree:
        raise InputError(f"{origin} has no file {file!r}; correct source.jsonnet")

    def find(folder: str, name: str) -> tuple[str, str]:
        for base in (folder, *_LIBRARIES):
            wanted = posixpath.normpath(posixpath.join(base, name))
            if wanted in tree:
                return wanted, tree[wanted].decode("utf-8-sig", "replace")
        raise RuntimeError(f"there is no file {name!r} to import, neither beside the importing file nor in vendor")

    variables = {name: json.dumps(value) for name, value in values.items()}
    try:
        # The file is imported as well: so everything it imports is looked for from where it lies.
        text = rjsonnet.evaluate_snippet(
            origin, f"import {json.dumps(path)}", ext_codes=variables, import_callback=find, preserve_order=True
        )
    except RuntimeError as error:
        told = re.sub(r"\s+", " ", str(error).removeprefix("import_callback error: ")).strip()
        raise InputError(f"{origin} cannot be built: {told}", reason="template") from error
    return list(_objects_in(json.loads(text)))


def _objects_in(value: Any) -> Iterator[Any]:
    """Objects may stand alone, in lists, or under the names of files, at any depth."""
    if isinstance(value, Mapping) and "apiVersion" in value and "kind" in value:
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _objects_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from _objects_in(part)
    elif value is not None:
        yield value  # told by whoever reads it as an object
