# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Whether a backup fits the inventory, and what a restore overwrites and leaves behind.

A restore may be cut short between any two steps, and the next one finishes it without a word from anybody. What it
finds is told by notes: each says of which backup it is, and of which cluster.

* A server gets its note when what it had has been put aside. Until the data are in place on the first server, all
  begins anew, and what lies on a server is half-done work that may go. k3s is stopped and disabled there all the
  while. So where it runs or is enabled, or where the data of another cluster lie, somebody has made a cluster since:
  that is kept aside, and wants the word.
* The first server's note says that the data are in place as soon as they are. From then on the cluster lives, and is
  only completed, if it still is that cluster. What pods may have written since must not be overwritten: each volume and
  each dump is noted as soon as it has been given back, and has had its turn.
* In the end the notes go, that of the first server before all others. Notes that were left behind mean nothing without
  it. What lives then is a cluster like any other, for another restore of the same backup too.
* Until then nothing else that looks after k3s begins: a restore is finished or given up, see ``preflight.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .machines import OUT_OF_SERVICE, Machine, listed, servers_among
from .preflight import other_role
from .version import Version

Note = Mapping[str, Any]  # backup, cluster, in_place and given_back, as hearth_restore.py writes them; or empty

_NOT_THE_OPERATORS = re.compile(
    r"^(beta\.)?kubernetes\.io/|^node\.kubernetes\.io/|^node-role\.kubernetes\.io/(control-plane|etcd|master)$"
    r"|^egress\.k3s\.io/|^p2p\.k3s\.cattle\.io/"
)


def backup_problems(
    manifest: Mapping[str, Any], *, cluster_name: str, version: str, servers: Sequence[str], external: bool = False
) -> list[str]:
    """Say why this backup cannot become the cluster that the inventory describes."""
    problems = []
    if manifest["cluster_name"] != cluster_name:
        problems.append(
            f"the backup is of cluster {manifest['cluster_name']}, and the inventory describes {cluster_name} "
            "(k3s_cluster_name): name the backup or the inventory that is meant"
        )
    wanted, made_by = Version.parse(version), Version.parse(manifest["k3s_version"])
    if wanted is not None and made_by is not None and wanted < made_by:
        problems.append(
            f"the backup was made by k3s {manifest['k3s_version']}, and k3s_version is {version}, which is older and "
            "cannot be trusted to read it: set k3s_version to that of the backup or a newer one"
        )
    if external:
        problems.append(
            "k3s_datastore_endpoint names a database elsewhere, and the backup has the data of the servers' own: "
            "take k3s_datastore_endpoint out of the inventory"
        )
    if manifest["datastore"] == "sqlite" and len(servers) > 1:
        problems.append(
            f"the backup is of one server with SQLite, and the inventory has {len(servers)}: restore it with "
            f"{servers[0]} alone in k3s_server, and add {listed(servers[1:])} afterwards"
        )
    return problems


def unfit(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what of the parameters and of the machines' parts must be mended first; both stay as they are until then."""
    own = [problem for record in records for problem in record["problems"]]
    lives = any(record["probe"]["k3s"]["api"]["ready"] for record in records)
    parts = [f"{record['name']}: {problem}" for record in records if (problem := other_role(record, may_leave=lives))]
    return [*dict.fromkeys(own), *parts]


def is_half_done(machine: Machine, note: Note) -> bool:
    """Tell whether what lies on a server is what a run left there before the data were in place, and nobody's since."""
    if note.get("in_place") is not False or "cluster" not in note or machine.running or machine.enabled:
        return False
    return not machine.holds_data or machine.cluster in ("", note["cluster"])


def is_in_place(
    machines: Sequence[Machine], servers: Sequence[str], manifest: Mapping[str, Any], notes: Mapping[str, Note]
) -> bool:
    """Tell whether an earlier run has put this backup's data on the first server, and its cluster is still there."""
    first = next((machine for machine in machines if machine.name == servers[0]), None)
    note = notes.get(servers[0], {})
    if first is None or not _is_of(note, manifest) or not note.get("in_place"):
        return False
    return first.holds_data and first.cluster == manifest["cluster"]


def _is_of(note: Note, manifest: Mapping[str, Any]) -> bool:
    """The name of a backup is but the moment at which it was taken."""
    return (note.get("backup"), note.get("cluster")) == (manifest["name"], manifest["cluster"])


def restore_obstacles(
    machines: Sequence[Machine],
    servers: Sequence[str],
    manifest: Mapping[str, Any],
    *,
    word: str = "",
    notes: Mapping[str, Note] | None = None,
) -> list[str]:
    """Say what must not be overwritten without an explicit word, and who has to answer first.

    notes: what earlier runs have left on the servers. What such a run of this very restore has made is in nobody's way.
    """
    known = servers_among(machines, servers)
    silent = [name for name in servers if name not in {machine.name for machine in known}]
    if silent:
        return [
            f"{listed(silent)} did not answer, and a server that comes back with the old data would be a second "
            "cluster: bring it back, or take it out of the inventory if it is gone for good"
        ]
    wanted = manifest["cluster_name"]
    if word and word != wanted:
        return [f"overwrite is {word}, and the cluster is called {wanted}: nothing was changed"]
    holders = _holders(known, servers, manifest, notes or {})
    if word or not holders:
        return []
    return [
        f"{_described(holders)}. All that was done in it since the backup of {manifest['name']} would be lost: "
        f"say so with -e overwrite={wanted}"
    ]


def _holders(
    known: Sequence[Machine], servers: Sequence[str], manifest: Mapping[str, Any], notes: Mapping[str, Note]
) -> list[Machine]:
    """The servers on which there is a cluster that is not the work of this very restore."""
    there = [machine for machine in known if machine.live or machine.holds_data]
    if is_in_place(known, servers, manifest, notes):
        return [machine for machine in there if machine.cluster not in ("", manifest["cluster"])]
    return [
        machine
        for machine in there
        if not (_is_of(notes.get(machine.name, {}), manifest) and is_half_done(machine, notes[machine.name]))
    ]


def _described(holders: Sequence[Machine]) -> str:
    live = [machine.name for machine in holders if machine.live]
    asleep = [machine.name for machine in holders if not machine.live]
    parts = [f"a cluster is alive on {listed(live)}"] if live else []
    if asleep:
        parts.append(f"the data of a cluster that does not run lie on {listed(asleep)}")
    return " and ".join(parts)


def stale_nodes(first: Machine, machines: Sequence[Machine]) -> list[str]:
    """Name the nodes that the restored cluster remembers and that have to join anew, or are no more.

    Every server but the first begins without data. An agent of the inventory comes back as the node that it was.
    """
    settled = {first.node_name} | {
        machine.node_name for machine in machines if machine.role == "agent" or machine.holds_data or machine.live
    }
    return [node.name for node in first.nodes if node.name not in settled]


def node_marks(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the operator has set on a node of the backup: labels, taints, and whether a person had cordoned it.

    What a drain or a playbook has set is in the data where the node still is, for them to take back, and nowhere else.
    """
    labels = {key: value for key, value in node["labels"].items() if not _NOT_THE_OPERATORS.search(key)}
    # An older backup does not tell who has cordoned it; a node with this label is cordoned by the playbook's drain.
    taken_out = labels.pop(OUT_OF_SERVICE, None) is not None
    taints = [taint for taint in node["taints"] if not taint["key"].startswith("node.kubernetes.io/")]
    return {
        "labels": labels,
        "taints": [{key: taint[key] for key in ("key", "value", "effect") if key in taint} for taint in taints],
        "cordoned": node["cordoned"] and not node.get("cordoned_by_drain", taken_out),
    }
