# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. What one machine's k3s is to be: configuration, where it joins, whose token it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .config import split_secrets
from .formation import Formation
from .machines import ClusterNode, Machine, listed, server_url, servers_among

DATA_DIR = "/var/lib/rancher/k3s"
TOKEN_FILE = "/etc/rancher/k3s/token"  # noqa: S105 - the name of a file
LONGEST_JOIN = 300.0  # seconds after its start in which k3s may still be on the way to a Node object of its own


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator asks for on this machine."""

    config: Mapping[str, Any] = field(default_factory=dict)
    server_url: str = ""  # a fixed address of the cluster, such as a virtual one
    datastore_endpoint: str = field(default="", repr=False)
    data_dir: str = DATA_DIR
    port: int = 6443
    token_given: bool = False  # and known to be the cluster's, if there is one


@dataclass(frozen=True, slots=True)
class NodePlan:
    """The decisions for one machine.

    ``token_from`` is a live server's name, ``given`` for the inventory's token, or ``new`` for a cluster's first one.
    """

    config: dict[str, Any]
    secret_config: dict[str, Any] = field(repr=False)
    token_from: str = ""
    replaces_node: bool = False
    returns: bool = False  # to service, out of which a playbook took it that was cut short
    via: str = ""
    waits_for_etcd: bool = False
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for templates, without what is secret."""
        return {
            "config": self.config,
            "token_from": self.token_from,
            "replaces_node": self.replaces_node,
            "returns": self.returns,
            "via": self.via,
            "waits_for_etcd": self.waits_for_etcd,
            "problems": list(self.problems),
        }


def plan_node(
    me: Machine, names: Sequence[str], machines: Sequence[Machine], formed: Formation, wishes: Wishes
) -> NodePlan:
    """Decide for one machine, from what all of them are now."""
    others = [server for server in servers_among(machines, names) if server.live and server.name != me.name]
    membership = _membership(me, others, formed, wishes)
    old_node = _left_behind(me, others, formed)
    config, secret = _config(me, membership, formed, wishes)
    return NodePlan(
        config=config,
        secret_config=secret,
        token_from=_token_from(me, others, formed, wishes),
        replaces_node=old_node is not None,
        returns=_was_left_out(me, servers_among(machines, names)),
        via=others[0].name if others else "",
        waits_for_etcd=me.role == "server" and formed.datastore == "etcd",
        problems=tuple(_problems(me, others, formed, old_node)),
    )


def _config(
    me: Machine, membership: Mapping[str, Any], formed: Formation, wishes: Wishes
) -> tuple[dict[str, Any], dict[str, Any]]:
    config = {"token-file": TOKEN_FILE, **membership, **wishes.config}
    if wishes.data_dir != DATA_DIR:
        config["data-dir"] = wishes.data_dir
    if me.role == "server":
        config["tls-san"] = _alternative_names(me, wishes)
    if me.role == "server" and formed.datastore == "external":
        config["datastore-endpoint"] = wishes.datastore_endpoint
    return split_secrets(config)


def _alternative_names(me: Machine, wishes: Wishes) -> list[str]:
    """The names under which this server's certificate must be valid: those by which others are told to reach it."""
    given = wishes.config.get("tls-san", [])
    names = [me.address, *([given] if isinstance(given, str) else given)]
    if wishes.server_url:
        names.append(wishes.server_url.removeprefix("https://").rpartition(":")[0])
    return list(dict.fromkeys(filter(None, names)))


def _membership(me: Machine, others: Sequence[Machine], formed: Formation, wishes: Wishes) -> dict[str, Any]:
    """The part of the configuration that says where this machine belongs.

    k3s reads it once, at the first start. On a member it is kept as it is, so that no later run restarts k3s for it.
    One that was removed starts anew: as the first server that it once was, it would begin a second cluster.
    """
    if me.role == "agent":
        return {"server": _join_url(me, others, wishes)}
    if formed.datastore == "external":
        return {}
    if me.name == formed.founder or me.datastore == "sqlite":
        return {"cluster-init": True} if formed.datastore == "etcd" else {}
    if me.datastore == "etcd" and me.configured_init and not me.configured_server and not _was_removed(me, others):
        return {"cluster-init": True}
    url = _join_url(me, others, wishes)
    return {"server": url} if url else {"cluster-init": True}


def _join_url(me: Machine, others: Sequence[Machine], wishes: Wishes) -> str:
    if wishes.server_url:
        return wishes.server_url
    live = [server_url(server, wishes.port) for server in others]
    # A node that has joined knows all servers by itself; which one it once joined through no longer matters.
    settled = (me.running or me.holds_data) and not _was_removed(me, others)
    if me.configured_server and (settled or me.configured_server in live):
        return me.configured_server
    return live[0] if live else ""


def _was_removed(me: Machine, others: Sequence[Machine]) -> bool:
    """Whether the cluster has no node of this machine (any more); etcd has no member of it then, either."""
    nodes = _nodes_among(others)
    return bool(nodes) and all(node.name != me.node_name for node in nodes)


def _nodes_among(servers: Sequence[Machine]) -> Sequence[ClusterNode]:
    return next((server.nodes for server in servers if server.nodes), ())


def _token_from(me: Machine, others: Sequence[Machine], formed: Formation, wishes: Wishes) -> str:
    """Whose token this machine must be given; nothing where it has a right one already."""
    if me.token_file and (not me.token_cluster or me.token_cluster == formed.cluster or not formed.cluster):
        return ""
    if me.live:
        return me.name
    if me.name == formed.founder:
        return "new"
    if others:
        return "given" if wishes.token_given else others[0].name
    return me.name if me.holds_data else ""


def _left_behind(me: Machine, others: Sequence[Machine], formed: Formation) -> ClusterNode | None:
    """The Node object of this machine's former life, if the machine has nothing left of it.

    A server without data cannot use its old place even if its password survived: its old member of etcd is listed.
    """
    in_etcd = me.role == "server" and formed.datastore == "etcd"
    stranger = not me.holds_data and not me.running if in_etcd else not me.node_password
    if not stranger or not others:
        return None
    return next((node for node in others[0].nodes if node.name == me.node_name), None)


def _was_left_out(me: Machine, servers: Sequence[Machine]) -> bool:
    return any(node.name == me.node_name and node.out_of_service for node in _nodes_among(servers))


def _problems(me: Machine, others: Sequence[Machine], formed: Formation, old_node: ClusterNode | None) -> list[str]:
    problems = []
    if not others and not me.live and not me.holds_data and me.name != formed.founder:
        problems.append(_nothing_to_join(me, formed))
    if old_node is not None and old_node.ready and old_node.address not in me.addresses:
        problems.append(
            f"a node named {me.node_name} is alive in the cluster at {old_node.address}, which is not {me.name}: "
            "two machines have one host name; give one of them another name"
        )
    if old_node is not None and old_node.voter is not None:
        problems.extend(_quorum_problems(me, others))
    return problems


def _nothing_to_join(me: Machine, formed: Formation) -> str:
    if formed.asleep:
        return (
            f"{me.name} cannot join: {listed(formed.asleep)} holds the cluster's data and does not come up; mend that "
            "server first, or, if too many servers are lost for good, bring the cluster back from a backup: "
            "hearth.cluster.restore -e from=DIRECTORY"
        )
    return f"{me.name} cannot join: no server is live"


def _quorum_problems(me: Machine, others: Sequence[Machine]) -> list[str]:
    """Taking a member out of etcd needs the agreement of the rest; an ailing rest would end as no cluster at all."""
    ailing = [
        node.name
        for node in others[0].nodes
        if node.voter is not None and node.name != me.node_name and not (node.voter and node.ready)
    ]
    if not ailing:
        return []
    return [
        f"{me.name} was set up anew, so its old member must leave etcd first, which is safe only while all "
        f"other servers are healthy: mend {listed(ailing)} first"
    ]


def service_need(
    k3s: Mapping[str, Any], *, changed: bool, newest: float | None, is_back: bool = True, is_gone: bool = False
) -> str:
    """Say what the unit needs: ``restarted``, ``started``, or nothing.

    ``started`` on a unit that runs changes nothing and waits.

    A run may have been cut short between a write and the restart for it. So what counts is not whether this run wrote
    something, but whether k3s was started before the newest file that it reads. It may also have been cut short before
    the node was back, which is then waited for.

    It would be waited for in vain where the Node object is gone: the kubelet makes one only when it starts, and a
    server that was removed from etcd joins it only then; until then it runs without, or is starting for ever.
    """
    service = k3s["service"]
    if service["active"] not in ("active", "activating"):
        return "started"
    written = [moment for moment in (newest, k3s["binary"]["modified_at"]) if moment is not None]
    outdated = service["started_at"] is not None and any(moment > service["started_at"] for moment in written)
    if changed or outdated or (is_gone and (service["running_for"] or 0.0) > LONGEST_JOIN):
        return "restarted"
    settled = service["active"] == "active" and service["enabled"] and is_back
    return "" if settled else "started"
