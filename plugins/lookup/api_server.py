# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: api_server
short_description: The address of a server of the cluster that answers
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Asks all addresses at once and returns the first, in their order, whose API server says that it is ready. That
    of the kubeconfig is the last of them.
  - Meant for the option C(server) of modules, where the server that the kubeconfig names may be down or is about to go.
options:
  _terms:
    description: Addresses of servers of one cluster, such as C(https://192.168.1.11:6443).
    type: list
    elements: str
  kubeconfig:
    description:
      - The kubeconfig file on the controller, whose credentials are good for all servers.
      - Without it, the environment variable E(KUBECONFIG) and then C(~/.kube/config) are used.
    type: path
  context:
    description: The context of the kubeconfig to use, its current one by default.
    type: str
"""

EXAMPLES = r"""
- name: Empty the first server through one of the others
  hearth.cluster.node:
    name: pi1
    state: drained
    server: "{{ lookup('hearth.cluster.api_server', 'https://192.168.1.12:6443', 'https://192.168.1.13:6443') }}"
"""

RETURN = r"""
_raw:
  description: One address. It is an error if no server answers.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils._errors import ClusterError
from ..module_utils._kube.server.client import Access, credentials_of
from ..module_utils._kube.server.finding import answering
from ..plugin_utils._lookup import reporting_errors


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        with reporting_errors():
            access = Access(self.get_option("kubeconfig"), self.get_option("context"))
            addresses = list(dict.fromkeys([*terms, credentials_of(access).server]))
            found = answering(access, addresses)
            if not found:
                raise ClusterError(
                    f"No server of the cluster answers at {', '.join(addresses)}: bring most of its servers up, or"
                    " correct their addresses in the inventory",
                    reason="unreachable",
                )
            return found[:1]
