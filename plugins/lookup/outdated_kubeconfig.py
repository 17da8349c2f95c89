# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: outdated_kubeconfig
short_description: Which kubeconfigs on the controller must be written anew
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Returns those of the named files that are absent, have other credentials, or name a server that is none.
options:
  _terms:
    description: Paths of kubeconfigs on the controller.
    type: list
    elements: str
    required: true
  name:
    description: The name of the cluster, its user and its context.
    type: str
    required: true
  digests:
    description: The servers' RV(hearth.cluster.k3s_info#module:k3s.kubeconfig_digest).
    type: list
    elements: str
    required: true
  servers:
    description: The addresses of the cluster's API that will do.
    type: list
    elements: str
    required: true
seealso:
  - module: hearth.cluster.kubeconfig
"""

EXAMPLES = r"""
- name: Show whether the kubeconfig must be fetched
  ansible.builtin.debug:
    msg: >-
      {{ query('hearth.cluster.outdated_kubeconfig', '~/.kube/home.yaml', name='home', servers=['https://192.168.1.11:6443'],
               digests=[probe.k3s.kubeconfig_digest]) }}
"""

RETURN = r"""
_raw:
  description: The paths, as they were given.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.lookup import LookupBase

from ..module_utils._k3s.kubeconfig import is_current


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        return [term for term in terms if not self._serves(term)]

    def _serves(self, term: str) -> bool:
        try:
            document = yaml.safe_load(Path(term).expanduser().read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return False
        return is_current(document, self.get_option("name"), self.get_option("digests"), self.get_option("servers"))
