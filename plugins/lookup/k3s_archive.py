# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_archive
short_description: Image archives on the controller, with names made from their content
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Gives each archive a name that changes with its content, so that a machine that has the name has the content.
options:
  _terms:
    description: Paths of image archives on the controller.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show under which names the machines keep the archives
  ansible.builtin.debug:
    msg: "{{ query('hearth.cluster.k3s_archive', 'images/nginx.tar.gz', 'images/postgres.tar.gz') }}"
"""

RETURN = r"""
_raw:
  description: For each archive its C(path) on the controller and its C(name) on a machine.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..module_utils._errors import HearthError
from ..module_utils._k3s.archives import archive_name
from ..plugin_utils._release_cache import digest, local_file


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            paths = [local_file(term, "k3s_images") for term in terms]
        except HearthError as error:
            raise AnsibleLookupError(str(error)) from None  # Ansible would say it twice
        return [{"path": str(path), "name": archive_name(path.name, digest(path))} for path in paths]
