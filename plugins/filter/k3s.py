# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._errors import HearthError
from ..module_utils._k3s.archives import archive_changes
from ..module_utils._k3s.certificates import report
from ..module_utils._k3s.config import config_problems
from ..module_utils._k3s.formation import Formation, formation
from ..module_utils._k3s.machines import Machine, host_of, kubeconfig_of, server_url
from ..module_utils._k3s.node_plan import NodePlan, Wishes, plan_node, service_need
from ..module_utils._k3s.preflight import fleet_problems, machine_problems, restore_problems, same_machine
from ..module_utils._k3s.readiness import is_back, is_gone
from ..module_utils._k3s.renewal import plan_renewal
from ..module_utils._k3s.rotation import begun, plan_rotation
from ..module_utils._k3s.skew import version_problems
from ..module_utils._k3s.spelling import misspelt
from ..module_utils._k3s.token import Token
from ..module_utils._k3s.upgrade import Binary, Evacuate, plan_upgrade
from ..module_utils._k3s.upgrade import Wishes as UpgradeWishes

Records = Sequence[Mapping[str, Any]]


def k3s_formation(
    records: Records, servers: Sequence[str], *, external: bool = False, etcd: bool = False, port: int = 6443
) -> dict[str, Any]:
    """What the servers are together, which of them begins a cluster if there is none, and where the live ones are."""
    formed = _formed(records, servers, external=external, etcd=etcd)
    live = [machine for machine in _machines(records) if machine.name in formed.live]
    return {**formed.as_dict(), "urls": [server_url(machine, port) for machine in live]}


def k3s_problems(
    records: Records,
    servers: Sequence[str],
    *,
    external: bool = False,
    token: bool = False,
    token_may_change: bool = False,
    overwritten: bool = False,
    restoring: bool = False,
) -> list[str]:
    """Everything that must be mended before anything is changed."""
    twins = same_machine([(record["name"], record["probe"]["host"]["boot_id"]) for record in records])
    if twins:
        return twins
    formed = _formed(records, servers, external=external)
    own = [problem for record in records for problem in record["problems"]]
    machines = [
        problem
        for record in records
        for problem in machine_problems(record, token, token_may_change=token_may_change or overwritten)
    ]
    unfinished = [] if restoring else restore_problems(records)
    formation_problems = [] if overwritten else formed.problems
    return [*dict.fromkeys(own), *unfinished, *machines, *fleet_problems(records), *formation_problems]


def k3s_plan(records: Records, name: str, servers: Sequence[str], **wishes: Any) -> dict[str, Any]:
    """What one machine's k3s is to be, without what is secret."""
    return _plan(records, name, servers, **wishes).as_dict()


def k3s_secret_config(records: Records, name: str, servers: Sequence[str], **wishes: Any) -> dict[str, Any]:
    """The part of one machine's configuration that nobody may see."""
    return _plan(records, name, servers, **wishes).secret_config


def k3s_config_problems(config: Mapping[str, Any], parameter: str) -> list[str]:
    """What must not be set through a free dictionary."""
    return config_problems(config, parameter)


def k3s_service_need(record: Mapping[str, Any], records: Records, *, changed: bool, newest: float | None) -> str:
    """What k3s needs; nothing if it runs, has read everything that is on disk, and its node is back in the cluster."""
    node = {"is_back": is_back(record, records), "is_gone": is_gone(record, records)}
    return service_need(record["probe"]["k3s"], changed=changed, newest=newest, **node)


def k3s_hosts(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Name, address, Node object and API of each host, as its variables tell them."""
    return [host_of(host) for host in hosts]


def k3s_kubeconfig(host: Mapping[str, Any]) -> str:
    """The path of the cluster's kubeconfig on the controller, as the variables of a host tell it."""
    try:
        return kubeconfig_of(host)
    except HearthError as error:
        raise AnsibleFilterError(str(error)) from error


def k3s_upgrade(
    records: Records,
    names: Sequence[str],
    *,
    version: str,
    binaries: Sequence[Mapping[str, Any]],
    evacuate: Evacuate = "minor",
    snapshot: bool = True,
) -> dict[str, Any]:
    """What an upgrade does, in which order, and what stands in its way."""
    known = {one["architecture"]: Binary(one["sha256"], int(one["size"])) for one in binaries}
    return plan_upgrade(records, names, UpgradeWishes(version, known, evacuate, snapshot)).as_dict()


def k3s_rotation(records: Records, names: Sequence[str]) -> dict[str, Any]:
    """How the cluster comes to the token that all its machines have compared with theirs."""
    return plan_rotation(records, names).as_dict()


def k3s_renewal(records: Records, names: Sequence[str], renewed: Sequence[str], here: Sequence[str]) -> dict[str, Any]:
    """New certificates for some machines, decided from the looks at all of them."""
    return plan_renewal(records, names, renewed, here).as_dict()


def k3s_rotation_begun(records: Records) -> list[str]:
    """The servers on which a change of the token has been begun and not ended."""
    return begun(records)


def k3s_full_token(token: str, cluster: str) -> str:
    """A token as the servers of a cluster give it out."""
    return Token.parse(token).full(cluster)


def k3s_token_problem(token: str) -> str:
    """Why this cannot become a cluster's token; empty if it can."""
    return Token.parse(token).problem()


def k3s_tokens_agree(token: str, other: str) -> bool:
    """Whether both open the same cluster."""
    return Token.parse(token).agrees_with(Token.parse(other))


def _formed(records: Records, servers: Sequence[str], *, external: bool = False, etcd: bool = False) -> Formation:
    return formation(servers, _machines(records), external=external, etcd=etcd)


def _machines(records: Records) -> list[Machine]:
    return [Machine.from_record(record) for record in records]


def _plan(records: Records, name: str, servers: Sequence[str], **wishes: Any) -> NodePlan:
    machines = _machines(records)
    me = next((machine for machine in machines if machine.name == name), None)
    if me is None:
        raise AnsibleFilterError(f"{name} has not been looked at")
    wanted = Wishes(**wishes)
    etcd = bool(wanted.config.get("cluster-init"))
    formed = _formed(records, servers, external=bool(wanted.datastore_endpoint), etcd=etcd)
    return plan_node(me, servers, machines, formed, wanted)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "k3s_archive_changes": archive_changes,
            "k3s_certificates": report,
            "k3s_config_problems": k3s_config_problems,
            "k3s_formation": k3s_formation,
            "k3s_full_token": k3s_full_token,
            "k3s_hosts": k3s_hosts,
            "k3s_kubeconfig": k3s_kubeconfig,
            "k3s_plan": k3s_plan,
            "k3s_problems": k3s_problems,
            "k3s_renewal": k3s_renewal,
            "k3s_rotation": k3s_rotation,
            "k3s_rotation_begun": k3s_rotation_begun,
            "k3s_secret_config": k3s_secret_config,
            "k3s_service_need": k3s_service_need,
            "k3s_token_problem": k3s_token_problem,
            "k3s_tokens_agree": k3s_tokens_agree,
            "k3s_upgrade": k3s_upgrade,
            "k3s_version_problems": version_problems,
            "misspelt": misspelt,
        }
