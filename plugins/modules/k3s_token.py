#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_token
short_description: Tell a running k3s server the cluster's new token
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Does what C(k3s token rotate) does, without a token in an argument list. The server encrypts the data that servers
    need at their start with the new token.
  - From then on every machine needs the new token at its next start of k3s; playbook C(hearth.cluster.rotate_token)
    gives it to all of them and restarts them one after the other.
  - Runs on a server. Telling the same token twice does no harm, and makes sure that the datastore is encrypted with it.
extends_documentation_fragment:
  - hearth.cluster._k3s
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: partial
    description: When run twice in a row with the same arguments, the second run does not change anything.
    details:
      - The second run tells it again, unless C(/etc/rancher/k3s/token) holds the new token by then.
options:
  token:
    description: The new token. Of a full one the password is taken.
    type: str
    required: true
seealso:
  - module: hearth.cluster.k3s_info
"""

EXAMPLES = r"""
- name: Tell one server
  hearth.cluster.k3s_token:
    token: "{{ new_token }}"
"""

RETURN = r""" # """

from ..module_utils._errors import InputError
from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._host.k3s_state import Installation
from ..module_utils._host.paths import Tree
from ..module_utils._host.supervisor import Supervisor
from ..module_utils._k3s.token import Token

ARGUMENTS = {
    "token": {"type": "str", "required": True, "no_log": True},
    "data_dir": {"type": "path", "default": "/var/lib/rancher/k3s"},
    "port": {"type": "int", "default": 6443},
}


def main() -> None:
    module = DiscreetModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options, tree = module.params, Tree()
    installation = Installation(tree, module.run_command, options["data_dir"], options["port"])
    new = Token.parse(options["token"])
    with reporting_errors(module):
        if new.problem():
            raise InputError(f"the new token {new.problem()}")
        present = installation.tokens()
        changes = not present or not all(token.agrees_with(new) for token in present)
        if changes and not module.check_mode:
            authority = tree.path(f"{options['data_dir']}/server/tls/server-ca.crt")
            Supervisor(options["port"], authority).change_token(present, new)
        module.exit_json(changed=changes)


if __name__ == "__main__":
    main()
