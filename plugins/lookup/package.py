# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: package
short_description: The objects of a package, customised as they would be sent
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Fetches, renders and customises packages exactly as M(hearth.cluster.package) does, and returns their objects.
  - The cluster is asked for its version and the kinds that it serves; nothing is written to it, and nothing to the lock
    file.
  - Use it as C(query), which always gives a list.
notes:
  - Secrets are returned with their values, because that is what is asked for. Nothing of them is logged by this lookup;
    whoever shows them, or hands them to a task without C(no_log), shows them.
extends_documentation_fragment:
  - hearth.cluster._kube
options:
  _terms:
    description:
      - Packages, each a mapping with the options of M(hearth.cluster.package) that describe one, as in
        C(hearth_packages).
      - What only matters for a running cluster, such as C(depends_on) or C(wait), is checked and has no effect.
    type: list
    elements: dict
    required: true
  search_path:
    description:
      - Folders in which the directory of a source is looked for, the current folder by default.
      - The first that has it wins.
    type: list
    elements: path
    default: []
  lock_file:
    description: The file that pins what was downloaded. What it does not know is downloaded and not written down.
    type: path
  mirrors:
    description: Folders or servers to download from instead, by the beginning of an address.
    type: dict
    default: {}
seealso:
  - module: hearth.cluster.package
  - plugin: hearth.cluster.objects
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Write down what a package would send
  ansible.builtin.copy:
    content: "{{ query('hearth.cluster.package', blog, search_path=[inventory_dir]) | to_nice_yaml }}"
    dest: blog.yaml
    mode: "0600"
  vars:
    blog: "{{ hearth_packages | selectattr('name', 'eq', 'blog') | first }}"

- name: Show all images that the cluster needs
  ansible.builtin.debug:
    msg: >-
      {{ query('hearth.cluster.package', *hearth_packages, search_path=[inventory_dir])
         | map(attribute="spec.template.spec.containers", default=[]) | flatten | map(attribute="image") | unique }}
"""

RETURN = r"""
_raw:
  description: The objects of all packages, in the order in which their sources have them.
  type: list
  elements: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

from ..module_utils._kube.manifest import Manifest
from ..module_utils._kube.options import CONNECTION
from ..module_utils._kube.resources import is_definition
from ..module_utils._package.package import read_package
from ..module_utils._package.spec import installer_for
from ..plugin_utils._lookup import plain, reporting_errors

_NEEDED = (*CONNECTION, "search_path", "lock_file", "mirrors")


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        with reporting_errors():
            packages = [read_package(term, f"package {number}") for number, term in enumerate(plain(terms), start=1)]
            params = {name: plain(self.get_option(name)) for name in _NEEDED}
            installer = installer_for(params, check=True, report=lambda _line: None)
            catalogue = installer.cluster.catalogue()
            manifests: list[Manifest] = []
            for package in packages:
                catalogue = catalogue.with_definitions(filter(is_definition, manifests))
                manifests += installer.render(package, catalogue).manifests
        return [plain(each.content) for each in manifests]
