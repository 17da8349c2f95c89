# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_records
short_description: What the cluster's API says of servers, without a look at their machines
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Returns for each server that answers what role P(hearth.cluster.k3s#role) notes about a machine it has looked at.
  - What cannot be learnt this way, for example because the controller has no kubeconfig yet, is left out and no error.
options:
  _terms:
    description: The servers, in the form that filter P(hearth.cluster.k3s_hosts#filter) gives.
    type: list
    elements: dict
    required: true
  kubeconfig:
    description: The kubeconfig file on the controller.
    type: path
    required: true
  token:
    description:
      - The token that the cluster should have. Each server is asked whether it knows it, and its record says so.
      - Empty means that nobody is asked.
    type: str
    default: ""
seealso:
  - plugin: hearth.cluster.k3s_hosts
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show which servers answer
  ansible.builtin.debug:
    msg: "{{ query('hearth.cluster.k3s_records', *hosts, kubeconfig='~/.kube/home.yaml') | map(attribute='name') }}"
  vars:
    hosts: "{{ groups['k3s_server'] | map('extract', hostvars) | hearth.cluster.k3s_hosts }}"
"""

RETURN = r"""
_raw:
  description: The records, in the order of the servers.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils._errors import HearthError
from ..module_utils._k3s.seen import record_of
from ..module_utils._k3s.token import Token
from ..module_utils._kube.server.client import Access, connect, credentials_of
from ..module_utils._kube.server.finding import answering
from ..plugin_utils._supervisor import opens


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[dict[str, Any]], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return seen(Access(self.get_option("kubeconfig")), terms, self.get_option("token"))
        except HearthError:
            return []


def seen(access: Access, hosts: list[dict[str, Any]], token: str = "") -> list[dict[str, Any]]:
    live = answering(access, [host["url"] for host in hosts])
    if not live:
        return []
    through = Access(access.kubeconfig, server=live[0])
    nodes = connect(through).json("GET", "/api/v1/nodes", doing="list the nodes")["items"]
    known = credentials_of(through)
    records = (
        record_of(
            host,
            nodes,
            authority=known.authority,
            certificate=known.certificate,
            token_matches=opens(known.at(host["url"]), Token.parse(token)) if token else None,
        )
        for host in hosts
        if host["url"] in live
    )
    return [record for record in records if record]
