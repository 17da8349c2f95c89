# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Where the objects of a package come from, as values; ``fetch.py`` gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from ..._errors import InputError
from ..._kube.near_miss import did_you_mean
from ..options import Options, anything, scalar_text, text, texts
from .tree import is_archive


@dataclass(frozen=True, slots=True)
class Directory:
    """Files on the controller; `files` are patterns below the directory."""

    path: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"directory {self.path}"


@dataclass(frozen=True)
class Inline:
    """Objects written in place: as text, or as a list of mappings."""

    content: Any

    def __str__(self) -> str:
        return "inline"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Files behind addresses. `origin` is what the operator wrote, for people; `files` are patterns inside archives."""

    addresses: tuple[str, ...]
    origin: str
    files: tuple[str, ...] = ()
    version: str = ""

    def __str__(self) -> str:
        return self.origin


@dataclass(frozen=True, slots=True)
class Repository:
    """Files of a git repository at a version: a tag, a branch or a commit."""

    address: str
    version: str
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"git {self.address} {self.version}"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a Helm repository; that of a registry has an address with oci:// and its own name at the end."""

    repository: str
    name: str
    version: str

    @property
    def is_artifact(self) -> bool:
        return self.repository.startswith("oci://")

    @property
    def address(self) -> str:
        """What the chart is pinned by."""
        if self.is_artifact:
            return f"{self.repository}/{self.name}:{self.version}"
        return f"helm+{self.repository}/{self.name}@{self.version}"

    def __str__(self) -> str:
        return f"chart {self.name} {self.version} of {self.repository}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """Files that were pushed into a registry."""

    address: str
    files: tuple[str, ...] = ()
    version: str = ""

    def __str__(self) -> str:
        return f"artifact {self.address}"


@dataclass(frozen=True)
class Build:
    """How the files of another source become objects: by which tool, from which paths."""

    source: Files
    tool: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.source} ({self.tool} {' '.join(self.paths)})"


Files: TypeAlias = "Directory | Addresses | Repository | Artifact"
Source: TypeAlias = "Files | Inline | Chart | Build"

# Tools that build objects from files, by the option that names their paths. A chart may lie among such files, too.
TOOLS = ("chart", "jsonnet", "kustomize", "ytt")


def version_of(source: Source | None) -> str:
    """The version that the operator asked for, empty where the source has none."""
    asked = source.source if isinstance(source, Build) else source
    return str(getattr(asked, "version", ""))


def is_template(source: Source | None) -> bool:
    """Whether `values` mean something to it."""
    return isinstance(source, Chart) or (isinstance(source, Build) and source.tool != "kustomize")


def is_chart(source: Source | None) -> bool:
    return isinstance(source, Chart) or (isinstance(source, Build) and source.tool == "chart")


def read_source(value: Any, place: str) -> Source:
    if not isinstance(value, Mapping):
        raise InputError(f"{place} must be a mapping, for example {{directory: packages/blog}}")
    kinds = [kind for kind in _READERS if value.get(kind) is not None]
    if len(kinds) != 1:
        given = ", ".join(map(str, value)) or "nothing"
        near = did_you_mean(str(next(iter(value), "")), _READERS)
        raise InputError(f"{place} names {given}; it must name exactly one of {', '.join(_READERS)}; {near}")
    options = Options(value, place)
    source = _READERS[kinds[0]](options)
    whole = source if isinstance(source, Build | Chart | Inline) else _built(source, options)
    options.finish()
    return whole


def _built(source: Files, options: Options) -> Source:
    wanted = {tool: options.take(tool, texts, _NO_FILES) for tool in TOOLS}
    tools = [tool for tool, paths in wanted.items() if paths]
    if not tools:
        return source
    if len(tools) > 1:
        raise options.fail(f"{' and '.join(tools)} are given; objects are built by one of them")
    tool, paths = tools[0], wanted[tools[0]]
    if tool != "ytt" and len(paths) > 1:
        raise options.fail(f"{tool} is a list, must be one path")
    if source.files and not isinstance(source, Addresses):
        raise options.fail(f"files and {tool} are given; {tool} says which files matter")
    return Build(source, tool, paths)


def _read_directory(options: Options) -> Directory:
    return Directory(options.need("directory", text), options.take("files", texts, _NO_FILES))


def _read_inline(options: Options) -> Inline:
    return Inline(options.need("inline", anything))


def _read_url(options: Options) -> Addresses:
    addresses, version = options.need("url", texts), options.take("version", scalar_text, "")
    files = options.take("files", texts, _NO_FILES)
    filled = tuple(_with_version(options, address, version) for address in addresses)
    origin = f"url {addresses[0]}" + (f" {version}" if version else "")
    return Addresses(filled, origin, tuple(each.replace("{version}", version) for each in files), version)


def _with_version(options: Options, address: str, version: str) -> str:
    if "{version}" in address and not version:
        raise options.fail("url has {version} in it, and version is missing")
    if not address.startswith(("https://", "http://")):
        raise options.fail(f"url {address!r} does not begin with https:// or http://")
    return address.replace("{version}", version)


def _read_github(options: Options) -> Addresses:
    repository, version = options.need("github", text), options.need("version", scalar_text)
    files, assets = options.take("files", texts, _NO_FILES), options.take("assets", texts, _NO_FILES)
    if repository.count("/") != 1 or "://" in repository:
        raise options.fail(f"github is {repository!r}, must be OWNER/NAME")
    if not files and not assets:
        raise options.fail("files (of the repository at that version) or assets (of that release) is missing")
    inside = files if any(map(is_archive, assets)) else _NO_FILES
    files = _NO_FILES if inside else files
    for name in (*files, *assets):
        if ".." in name or any(sign in name for sign in "*?["):
            raise options.fail(
                f"{name!r} must be the plain path of one file; patterns need a listing, which GitHub's"
                f" files do not have: write git: https://github.com/{repository} instead of github"
            )
    addresses = (
        *(
            f"https://raw.githubusercontent.com/{repository}/{quote(version)}/{quote(name, safe='/{}')}"
            for name in files
        ),
        *(
            f"https://github.com/{repository}/releases/download/{quote(version)}/{quote(name, safe='/{}')}"
            for name in assets
        ),
    )
    filled, patterns = (tuple(each.replace("{version}", version) for each in texts) for texts in (addresses, inside))
    return Addresses(filled, f"github {repository} {version}", patterns, version)


def _read_git(options: Options) -> Repository:
    address, version = options.need("git", text), options.need("version", scalar_text)
    for name, value in (("git", address), ("version", version)):
        if value.startswith("-"):
            raise options.fail(f"{name} is {value!r}, which git would take for an option")
    return Repository(address.rstrip("/"), version, options.take("files", texts, _NO_FILES))


def _read_helm(options: Options) -> Chart:
    repository, version = options.need("helm", text).rstrip("/"), options.need("version", scalar_text)
    name = options.take("chart", text, "")
    if not repository.startswith(("https://", "http://", "oci://")):
        raise options.fail(
            f"helm is {repository!r}; it begins with https:// or oci://. A chart on the controller is"
            " written {directory: FOLDER, chart: .}"
        )
    if not name and not repository.startswith("oci://"):
        raise options.fail("chart is missing: the name of a chart in that repository")
    if not name:
        repository, _slash, name = repository.rpartition("/")
    return Chart(repository, name, version)


def _read_oci(options: Options) -> Artifact:
    address, version = options.need("oci", text), options.take("version", scalar_text, "")
    if not address.startswith("oci://"):
        raise options.fail(f"oci is {address!r}, must begin with oci://")
    last = address.rpartition("/")[2]
    if not version and ":" not in last:
        raise options.fail("version is missing: the tag of the artifact, or its digest, sha256:...")
    sign = "@" if version.startswith("sha256:") else ":"
    return Artifact(address + (sign + version if version else ""), options.take("files", texts, _NO_FILES), version)


_NO_FILES: tuple[str, ...] = ()

_READERS: Mapping[str, Callable[[Options], Source]] = {
    "directory": _read_directory,
    "git": _read_git,
    "github": _read_github,
    "helm": _read_helm,
    "inline": _read_inline,
    "oci": _read_oci,
    "url": _read_url,
}
