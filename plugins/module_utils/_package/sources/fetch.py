# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Get what a source names."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..._errors import FetchError, InputError
from ..._kube.manifest import Manifest, digest_of, manifest_of, manifests_of
from ..._kube.yaml import Document, read_documents
from ..._kube.yaml_limits import refuse_size
from ..render.situation import Situation
from .cache import ParsedFiles
from .download import Downloads
from .source import Addresses, Artifact, Build, Chart, Directory, Files, Inline, Repository, Source
from .tree import MANIFEST_SUFFIXES, Tree, below, is_archive, kustomization_in, refuse_too_much, select, tree_digest


@dataclass(frozen=True)
class Fetched:
    """The manifests of a source, a digest of all that was read, and the folder that file patterns are relative to."""

    manifests: tuple[Manifest, ...]
    digest: str
    folder: Path


@dataclass(frozen=True)
class Fetcher:
    """Relative paths are looked for below each folder of `search_path`, the first that has them wins."""

    search_path: tuple[Path, ...]
    parsed: ParsedFiles
    downloads: Downloads

    def fetch(self, source: Source | None, situation: Situation | None = None) -> Fetched:
        """The objects of a source; templates are rendered for a situation."""
        if source is None:
            return Fetched((), digest_of(None), self.search_path[0])
        if isinstance(source, Inline):
            return self._inline(source)
        if isinstance(source, Chart | Build):
            return self._built(source, situation or Situation())
        if isinstance(source, Directory):
            return self._directory(source)
        return self._files(source)

    def _built(self, source: Chart | Build, situation: Situation) -> Fetched:
        # Imported where they are needed: a module is sent as source, and compiling all of this takes as long as a run
        # that has nothing to do.
        from ..render.build_chart import ChartBuilder  # noqa: PLC0415
        from ..render.build_tools import build_with  # noqa: PLC0415
        from ..render.values import merged  # noqa: PLC0415
        from .archive import unpack  # noqa: PLC0415
        from .helm import fetch_chart  # noqa: PLC0415

        if isinstance(source, Chart):
            tree = unpack(fetch_chart(source, self.downloads), str(source))
        else:
            tree = self.tree(source.source)
        tool, paths = (source.tool, source.paths) if isinstance(source, Build) else ("chart", (".",))
        values = merged(self._values(situation))
        if tool == "chart":
            builder = ChartBuilder(self.downloads, situation, self._documents)
            manifests = builder.build(below(tree, paths[0]), str(source), values)
        else:
            manifests = build_with(tool, tree, paths, values, origin=str(source), parsed=self.parsed)
        return Fetched(tuple(manifests), tree_digest(tree), self._folder_of(source))

    def tree(self, source: Files) -> Tree:
        """All files of a source."""
        from .git import fetch_git  # noqa: PLC0415  # as above
        from .oci import Registries  # noqa: PLC0415

        if isinstance(source, Directory):
            return _read_folder(self.find(source.path))
        if isinstance(source, Repository):
            return fetch_git(source, self.downloads)[0]
        if isinstance(source, Artifact):
            return Registries(self.downloads).files(source.address)
        return self._archives(source)

    def _folder_of(self, source: Chart | Build) -> Path:
        inner = source.source if isinstance(source, Build) else None
        return self.find(inner.path) if isinstance(inner, Directory) else self.search_path[0]

    def _values(self, situation: Situation) -> Iterator[Mapping[str, Any]]:
        for part in situation.values:
            yield self._values_in(part) if isinstance(part, str) else _plain(part)

    def _values_in(self, path: str) -> Mapping[str, Any]:
        tried = [(base / Path(path).expanduser()).resolve() for base in self.search_path]
        file = next((each for each in tried if each.is_file()), None)
        if file is None:
            places = " or ".join(dict.fromkeys(map(str, tried)))
            raise FetchError(f"There is no file {places}; correct {path!r} among the values of the package")
        contents = [each.content for each in read_documents(_text(file.read_bytes(), str(file)), str(file))]
        if len(contents) > 1 or not isinstance(contents[0] if contents else {}, Mapping):
            raise InputError(f"{file}: a file of values holds one mapping")
        return contents[0] if contents else {}

    def _inline(self, source: Inline) -> Fetched:
        content = source.content
        if isinstance(content, str):
            manifests = tuple(manifests_of(read_documents(content, "inline"), "inline"))
        else:
            items = content if isinstance(content, list) else [content]
            manifests = tuple(manifest_of(_plain(item), f"inline[{number}]") for number, item in enumerate(items))
        return Fetched(manifests, digest_of([manifest.content for manifest in manifests]), self.search_path[0])

    def _directory(self, source: Directory) -> Fetched:
        folder = self.find(source.path)
        files = _matching(folder, source.files) if source.files else _manifest_files(folder)
        if not files:
            raise InputError(f"directory {folder} has no manifest in it: files end with .yaml, .yml or .json")
        named = ((str(file.relative_to(folder)), str(file), _bytes_of(file)) for file in files)
        return replace(self._all(named), folder=folder)

    def _files(self, source: Addresses | Repository | Artifact) -> Fetched:
        """Everything that is fetched as a tree of files."""
        origin = str(source)
        if isinstance(source, Addresses):
            if not source.files and not any(is_archive(address) for address in source.addresses):
                return self._addresses(source)
            origin = source.addresses[0]
        tree = self.tree(source)
        chosen = select(tree, source.files, str(source))
        if not source.files:
            _refuse_kustomization(kustomization_in(tree), str(source))
        return self._all((path, f"{origin}: {path}", tree[path]) for path in chosen)

    def _addresses(self, source: Addresses) -> Fetched:
        return self._all((address, address, self.downloads.get(address)) for address in source.addresses)

    def _archives(self, source: Addresses) -> Tree:
        """All files behind addresses: what archives hold, and other files by their own names."""
        from .archive import unpack  # noqa: PLC0415  # as above

        tree: dict[str, bytes] = {}
        for address in source.addresses:
            raw, name = self.downloads.get(address), _name_in(address)
            for path, content in (unpack(raw, address) if is_archive(name) else {name: raw}).items():
                if path in tree:
                    raise InputError(f"{source.origin} has two files {path}, the second in {address}")
                tree[path] = content
        return tree

    def _all(self, files: Iterable[tuple[str, str, bytes]]) -> Fetched:
        """Read files, each with the name it is remembered by, the name that errors tell, and its bytes."""
        digest = hashlib.sha256()
        manifests: list[Manifest] = []
        for name, origin, raw in files:
            digest.update(json.dumps([name, hashlib.sha256(raw).hexdigest()]).encode())
            manifests += self._read(raw, origin)
        return Fetched(tuple(manifests), digest.hexdigest(), self.search_path[0])

    def _read(self, raw: bytes, origin: str) -> Iterator[Manifest]:
        return manifests_of(self._documents(raw, origin), origin)

    def _documents(self, raw: bytes, origin: str) -> list[Document]:
        documents = self.parsed.find(raw)
        if documents is None:
            documents = list(read_documents(_text(raw, origin), origin))
            self.parsed.keep(raw, documents)
        return documents

    def find(self, path: str) -> Path:
        """The folder that a package names."""
        tried = [(base / Path(path).expanduser()).resolve() for base in self.search_path]
        for candidate in tried:
            if candidate.is_dir():
                return candidate
        places = " or ".join(dict.fromkeys(map(str, tried)))
        raise FetchError(f"There is no directory {places}; correct source.directory of the package")

    def files_for(self, folder: Path, pattern: str) -> Mapping[str, bytes]:
        """What a file pattern matches, by name without folders."""
        files = _matching(folder, (pattern,))
        return {file.name: file.read_bytes() for file in files}


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    found: dict[Path, None] = {}
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InputError(f"{pattern!r} leads out of {folder}; name files below it")
        matched = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not matched:
            raise InputError(f"no file in {folder} matches {pattern!r}")
        found.update(dict.fromkeys(matched))
    return list(found)


def _manifest_files(folder: Path) -> list[Path]:
    _refuse_kustomization(kustomization_in(path.name for path in folder.iterdir()), str(folder))
    return sorted(path for path in folder.rglob("*") if path.suffix in MANIFEST_SUFFIXES and path.is_file())


def _read_folder(folder: Path) -> Tree:
    """All files below a folder of the controller, without what git keeps there for itself."""
    found = [path for path in sorted(folder.rglob("*")) if ".git" not in path.parts and path.is_file()]
    refuse_too_much(sum(path.stat().st_size for path in found), len(found), str(folder))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _refuse_kustomization(found: str, place: str) -> None:
    if found:
        raise InputError(
            f"{found} in {place} describes how to build what is there; say so with source.kustomize (for example"
            " kustomize: .), or name the manifests to take with source.files"
        )


def _name_in(address: str) -> str:
    return posixpath.basename(unquote(urlsplit(address).path))


def _bytes_of(file: Path) -> bytes:
    refuse_size(file.stat().st_size, str(file))  # before it is in memory
    return file.read_bytes()


def _text(raw: bytes, origin: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{origin}: byte {error.start} is not UTF-8 text; save the file as UTF-8") from error


def _plain(value: Any) -> Any:
    """Ansible's own kinds of text and lists as plain ones."""
    document: Any = json.loads(json.dumps(value))
    return document


__all__ = ["Document", "Fetched", "Fetcher"]
