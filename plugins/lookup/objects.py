# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: objects
short_description: Objects of a cluster, as they are now
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Reads objects by kind, namespace, name and labels, and answers a JMESPath query about them.
  - Use it as C(query), which always gives a list. Only reading requests are sent.
notes:
  - Secrets are returned with their values, because that is what is asked for. Nothing of them is logged by this lookup;
    whoever shows them, or hands them to a task without C(no_log), shows them.
extends_documentation_fragment:
  - hearth.cluster._kube
options:
  _terms:
    description: Kinds, each with its group where several groups have that kind, as in C(Cluster.postgresql.cnpg.io).
    type: list
    elements: str
    required: true
  api_version:
    description: The version to read the objects in, the one that the server prefers by default.
    type: str
  namespace:
    description: The namespace to look in, all of them by default.
    type: str
    default: ""
  name:
    description: The name of the object. One that does not exist gives nothing.
    type: str
    default: ""
  label_selector:
    description: The labels that the objects have, in Kubernetes' words, for example C(app=web,tier in (a, b)).
    type: str
    default: ""
  query:
    description:
      - A JMESPath expression over the list of objects.
      - Its answer is returned as it is when it is a list, nothing for null, and else as the only element.
    type: str
    default: ""
seealso:
  - plugin: hearth.cluster.package
    plugin_type: lookup
  - module: hearth.cluster.package_info
"""

EXAMPLES = r"""
- name: Show which pods do not run
  ansible.builtin.debug:
    msg: "{{ query('hearth.cluster.objects', 'Pod', query='[?status.phase!=`Running`].metadata.name') }}"

- name: Show the address of a service
  ansible.builtin.debug:
    msg: >-
      {{ lookup('hearth.cluster.objects', 'Service', namespace='blog', name='blog',
                query='[].status.loadBalancer.ingress[0].ip', kubeconfig='~/.kube/home.yaml') }}

- name: Show the databases and whether they are healthy
  ansible.builtin.debug:
    msg: "{{ query('hearth.cluster.objects', 'Cluster.postgresql.cnpg.io', query='[].[metadata.name, status.phase]') }}"
"""

RETURN = r"""
_raw:
  description: The objects without their managedFields, by namespace and name, or the answer to O(query).
  type: list
  elements: raw
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils._kube.options import CONNECTION, cluster_for
from ..module_utils._package.look import Wanted, answer
from ..plugin_utils._lookup import plain, reporting_errors


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct=kwargs)
        given = {name: plain(self.get_option(name)) for name in Wanted.__dataclass_fields__ if name != "kinds"}
        with reporting_errors():
            cluster = cluster_for({name: plain(self.get_option(name)) for name in CONNECTION})
            return answer(cluster, Wanted(tuple(plain(terms)), **given))
