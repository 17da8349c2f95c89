# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Which cluster there is, and which server begins one where there is none.

The live state decides, never the order of the inventory alone. A server that runs, or one that has the cluster's data
on its disk, comes before any other; a new cluster is begun only where it is certain that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .machines import Datastore, Machine, listed, servers_among


@dataclass(frozen=True, slots=True)
class Formation:
    """What is to become of the servers."""

    live: tuple[str, ...] = ()
    asleep: tuple[str, ...] = ()  # they hold the cluster's data and do not run
    founder: str = ""  # begins a new cluster; empty where there is one
    datastore: Datastore = ""
    cluster: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates."""
        plain = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def formation(
    names: Sequence[str], machines: Sequence[Machine], *, external: bool = False, etcd: bool = False
) -> Formation:
    """Decide from the servers' names in the inventory and from those of them that answered.

    external: the datastore is a database elsewhere. etcd: one server alone shall have etcd too.
    """
    servers = servers_among(machines, names)
    silent = [name for name in names if name not in {server.name for server in servers}]
    live = [server for server in servers if server.live]
    asleep = [server for server in servers if server.holds_data and not server.live]
    problems = _problems(live, asleep, servers, silent)
    founder = "" if live or asleep or problems else servers[0].name
    datastore = _datastore(names, live + asleep, external=external, etcd=etcd)
    return Formation(
        live=tuple(server.name for server in live),
        asleep=tuple(server.name for server in asleep),
        founder=founder,
        datastore=datastore,
        cluster=(live + asleep)[0].cluster if live or asleep else "",
        problems=tuple(problems),
        warnings=(*_warnings(names, silent, datastore), *_moves(live + asleep, datastore)),
    )


def _problems(
    live: Sequence[Machine], asleep: Sequence[Machine], servers: Sequence[Machine], silent: Sequence[str]
) -> list[str]:
    if not servers and not silent:
        return ["the inventory has no server: put at least one host into the group k3s_server"]
    if not servers:
        return [f"none of the servers answers: {listed(silent)}"]
    if live or asleep:
        return _two_clusters(live, asleep)
    if silent:
        return [
            f"no cluster was found, but {listed(silent)} did not answer and may hold one; a second cluster "
            f"must not be made beside it: bring {listed(silent)} back, or take it out of the inventory if it "
            f"is gone for good"
        ]
    return []


def _two_clusters(live: Sequence[Machine], asleep: Sequence[Machine]) -> list[str]:
    reference = (list(live) + list(asleep))[0]
    strangers = [one for one in [*live, *asleep] if _known_to_differ(one, reference)]
    return [
        f"{one.name} {'runs' if one.live else 'has the data of'} another cluster than {reference.name}: two "
        f"clusters cannot be joined; keep one of them and clear k3s' data directory on the other machine"
        for one in strangers
    ]


def _known_to_differ(one: Machine, other: Machine) -> bool:
    return bool(one.cluster and other.cluster and one.cluster != other.cluster)


def _datastore(names: Sequence[str], holders: Sequence[Machine], *, external: bool, etcd: bool) -> Datastore:
    if external:
        return "external"
    several = len(names) > 1
    return "etcd" if several or etcd or any(one.datastore == "etcd" for one in holders) else "sqlite"


def _warnings(names: Sequence[str], silent: Sequence[str], datastore: Datastore) -> list[str]:
    warnings = [f"{name} did not answer; the others go on without it" for name in silent]
    if datastore == "etcd" and len(names) % 2 == 0:
        warnings.append(
            f"{len(names)} servers survive the loss of no more machines than {len(names) - 1} would: "
            "etcd wants an odd number of servers"
        )
    return warnings


def _moves(holders: Sequence[Machine], datastore: Datastore) -> list[str]:
    return [
        f"{one.name} has the cluster's data in SQLite, which is for one server alone: k3s moves it to etcd when it is "
        f"restarted now. The API is away until that is done, pods run on, and there is no way back; what was there "
        f"stays in server/db/state.db.migrated"
        for one in holders
        if datastore == "etcd" and one.datastore == "sqlite"
    ]
