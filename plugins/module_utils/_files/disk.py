# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Reading and writing the paths of a set of files; each file is replaced in one step."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._errors import InputError
from .plan import Change, Live, State, Wanted


def wanted_from(params: Mapping[str, Any]) -> Wanted:
    """Read one entry of the module's list."""
    state = State(params["state"])
    return Wanted(
        path=params["path"],
        state=state,
        content=_content(params) if state is State.FILE else None,
        secret=params["secret_content"] is not None,
        mode=_mode(params["mode"], params["path"]),
        owner=_identity(params["owner"], lambda name: pwd.getpwnam(name).pw_uid, params["path"], "user"),
        group=_identity(params["group"], lambda name: grp.getgrnam(name).gr_gid, params["path"], "group"),
        touches=params["touches"] or "",
    )


def look(path: str) -> Live:
    """Return what lies at a path; a link counts as what it leads to."""
    try:
        status = os.stat(path)  # noqa: PTH116 - Path.stat is the same call in more words
    except (FileNotFoundError, NotADirectoryError):
        return Live(State.ABSENT)
    kind = {stat.S_IFREG: State.FILE, stat.S_IFDIR: State.DIRECTORY}.get(stat.S_IFMT(status.st_mode))
    return Live(
        state=kind,
        content=Path(path).read_bytes() if kind is State.FILE else b"",
        mode=stat.S_IMODE(status.st_mode),
        owner=status.st_uid,
        group=status.st_gid,
        modified_at=status.st_mtime if kind is State.FILE else None,
        only_mounts=kind is State.DIRECTORY and _holds_only_mounts(Path(path)),
    )


def perform(todo: Sequence[Change]) -> None:
    """Carry out all changes."""
    for change in todo:
        path, wanted = Path(change.wanted.path), change.wanted
        if wanted.state is State.ABSENT:
            if wanted.touches:
                _touch(wanted.touches)
            _remove(path)
            continue
        if wanted.state is State.DIRECTORY:
            path.mkdir(parents=True, exist_ok=True)
            _attribute(path, change)
        elif change.replaces:
            _replace(path, change)
        else:
            _attribute(path, change)


def _touch(path: str) -> None:
    with suppress(FileNotFoundError):
        os.utime(path)


def _remove(path: Path) -> bool:
    """Remove a path with all below it, and tell whether it is gone: mount points cannot be removed, and are emptied.

    What somebody else removes meanwhile, as the last task of a run that was killed may, is gone as well.
    """
    with suppress(FileNotFoundError):
        if not path.is_dir() or path.is_symlink():
            path.unlink()
            return True
        stays = [entry for entry in list(path.iterdir()) if not _remove(entry)]
        if stays or path.is_mount():
            return False
        path.rmdir()
    return True


def _holds_only_mounts(directory: Path) -> bool:
    try:
        entries = list(directory.iterdir())
    except FileNotFoundError:  # removed meanwhile
        return False
    if not entries:
        return directory.is_mount()
    return all(entry.is_dir() and not entry.is_symlink() and _holds_only_mounts(entry) for entry in entries)


def newest(wanted: Sequence[Wanted]) -> float | None:
    """Return when the latest of the files was written."""
    moments = [look(one.path).modified_at for one in wanted if one.state is State.FILE]
    return max((moment for moment in moments if moment is not None), default=None)


def _replace(path: Path, change: Change) -> None:
    """Write beside the file and rename; whoever reads it sees the old or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.wanted.content or b"")
            file.flush()
            os.fsync(file.fileno())
        _attribute(temporary, change)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _attribute(path: Path, change: Change) -> None:
    wanted, live = change.wanted, change.live
    there = live.state is wanted.state
    default = 0o755 if wanted.state is State.DIRECTORY else 0o600
    mode = wanted.mode if wanted.mode is not None else (live.mode if there else default)
    owner = wanted.owner if wanted.owner is not None else (live.owner if there else -1)
    group = wanted.group if wanted.group is not None else (live.group if there else -1)
    os.chown(path, owner, group)
    path.chmod(mode)


def _content(params: Mapping[str, Any]) -> bytes:
    for key in ("content", "secret_content"):
        if params[key] is not None:
            return str(params[key]).encode()
    source = Path(params["src"])
    if not source.is_file():
        raise InputError(f"{source}, the source of {params['path']}, is not a file on this machine", path=str(source))
    return source.read_bytes()


def _mode(text: str | None, path: str) -> int | None:
    if text is None:
        return None
    try:
        return int(text, 8)
    except ValueError:
        raise InputError(f"the mode of {path} is {text!r}; write it as a string of octal digits: '0644'") from None


def _identity(name: str | None, look_up: Any, path: str, what: str) -> int | None:
    if name is None or name.isdigit():
        return None if name is None else int(name)
    try:
        return int(look_up(name))
    except KeyError:
        raise InputError(f"the {what} {name} of {path} does not exist on this machine") from None
