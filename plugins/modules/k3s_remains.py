#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_remains
short_description: Take away what a stopped k3s leaves in the kernel
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Containers live on when k3s stops. This module ends them, takes down their mounts and network namespaces,
    the network links, and what k3s has put into the firewall.
  - Other container engines, links, mounts and rules are left alone.
  - Stop and disable k3s first. Files are not touched, except links to k3s in C(/usr/local/bin) such as C(kubectl).
options:
  data_dir:
    description: The data directory of k3s, which may hold programs that the machine itself lacks.
    type: path
    default: /var/lib/rancher/k3s
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
seealso:
  - module: hearth.cluster.k3s_info
  - module: hearth.cluster.k3s_service
"""

EXAMPLES = r"""
- name: Stop k3s for good
  ansible.builtin.systemd_service:
    name: k3s
    state: stopped
    enabled: false

- name: Take away what it leaves in the kernel
  hearth.cluster.k3s_remains:
"""

RETURN = r"""
containers:
  description: How many pods and containers were still run.
  returned: success
  type: int
mounts:
  description: What was unmounted.
  returned: success
  type: list
  elements: str
links:
  description: The network links that were deleted.
  returned: success
  type: list
  elements: str
  sample: [cni0, flannel.1]
rules:
  description: The programs of the firewall from which k3s' rules were taken.
  returned: success
  type: list
  elements: str
  sample: [iptables]
commands:
  description: The links to k3s that were removed.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/kubectl]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._faces import reporting_errors
from ..module_utils._host.paths import Tree
from ..module_utils._host.remains import Machine

ARGUMENTS = {"data_dir": {"type": "path", "default": "/var/lib/rancher/k3s"}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    machine = Machine(Tree(), module.run_command, firewalls(module))
    with reporting_errors(module):
        remains = machine.look()
        if remains and not module.check_mode:
            machine.clear(remains)
        module.exit_json(
            changed=bool(remains),
            containers=remains.containers,
            mounts=list(remains.mounts),
            links=list(remains.links),
            rules=list(remains.rules),
            commands=list(remains.commands),
        )


def firewalls(module: AnsibleModule) -> dict[str, str]:
    """The programs that are there by name: the machine's, or else those that k3s brings."""
    brought = [f"{module.params['data_dir']}/data/current/bin/aux"]
    found = {name: module.get_bin_path(f"{name}-save", opt_dirs=brought) for name in ("iptables", "ip6tables")}
    return {name: path.removesuffix("-save") for name, path in found.items() if path}


if __name__ == "__main__":
    main()
