# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which versions machines may be brought to, given those that run.

Kubernetes goes forward, its servers one minor version at a time. A kubelet may lag three minor versions behind the
servers and must never lead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from .machines import listed
from .version import Version

Record = Mapping[str, Any]
MOST_MINORS = {"server": 1, "agent": 3}  # that one step may go on


def version_of(record: Record, records: Sequence[Record]) -> str:
    """What runs on a machine; where nothing runs, what its node last said, or what is installed on a member."""
    k3s = record["probe"]["k3s"]
    nodes = (node for other in records for node in other["probe"]["k3s"]["api"]["nodes"])
    said = next((node["version"] for node in nodes if node["name"] == record["node_name"]), "")
    installed = k3s["binary"]["version"] if k3s["cluster"] and "binary" in k3s else ""
    return str(k3s.get("running_version") or said or installed)


def version_problems(
    records: Sequence[Record], target: str, here: Collection[str], *, may_go_back: bool = False
) -> list[str]:
    """One sentence for each reason why the machines named in `here` must not be brought to a version.

    may_go_back: what they have is overwritten with data of that version.
    """
    wanted = Version.parse(target)
    if wanted is None:
        return []  # another check says that this is no version
    known = [(record, version_of(record, records)) for record in records]
    parsed = [(record, text, version) for record, text in known if (version := Version.parse(text))]
    mine = [each for each in parsed if each[0]["name"] in here]
    servers = [each for each in parsed if each[0]["role"] == "server"]
    joins_servers = any(record["role"] == "server" and record["name"] in here for record in records)
    backward = [each for each in (parsed if joins_servers else mine) if each[2] > wanted]
    leading = [each for each in servers if each[0]["name"] not in here and each[2].minors_to(wanted) > 0]
    skipping = [each for each in mine if each[2].minors_to(wanted) > MOST_MINORS[each[0]["role"]]]
    return [
        *_told([] if may_go_back else backward, lambda names, text: _backward(names, text, target)),
        *_told(skipping, lambda names, text: _skipping(names, text, target)),
        *_told(leading, lambda names, text: _leading(names, text, target)),
    ]


def _told(found: Sequence[tuple[Record, str, Version]], words: Callable[[Sequence[str], str], str]) -> list[str]:
    """One sentence for all machines with the same version."""
    names: dict[str, list[str]] = defaultdict(list)
    for record, text, _version in found:
        names[text].append(record["name"])
    return [words(owners, text) for text, owners in names.items()]


def _backward(names: Sequence[str], text: str, target: str) -> str:
    return (
        f"k3s_version is {target}, and {listed(names)} {_run(names)} the newer {text}: Kubernetes does not go back to "
        f"an older version; set k3s_version to {text} or a newer one (the way back is to restore a backup from before)"
    )


def _skipping(names: Sequence[str], text: str, target: str) -> str:
    running = Version.parse(text)
    following = f"v{running.major}.{running.minor + 1}" if running else ""
    return (
        f"k3s_version is {target}, and {listed(names)} {_run(names)} {text}: Kubernetes must not skip a minor version; "
        f"set k3s_version to the latest release of {following} first, then to that of each one after it"
    )


def _leading(names: Sequence[str], text: str, target: str) -> str:
    return (
        f"k3s_version is {target}, and {listed(names)}, which this run leaves alone, {_run(names)} {text}: no node may "
        "be ahead of the servers; upgrade these first, without --limit"
    )


def _run(names: Sequence[str]) -> str:
    return "run" if len(names) > 1 else "runs"
