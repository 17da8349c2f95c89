#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_copy
short_description: Copy a directory from one node of a cluster straight to another one
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Runs on both nodes at the same time, in one task of a play of both. One sends, the other receives.
  - The connection is encrypted, and each side proves which node it is, with the certificates of its kubelet.
  - Owners, modes, times, links, holes, lists of access and extended attributes are kept. Both sides read all that they
    have then, and the task fails unless it is equal to the byte.
  - What is there already is compared only. The directory that is copied from is never changed.
  - Needs GNU tar on both machines, and the rights of root.
attributes:
  check_mode:
    support: full
    description: Says whether anything is stored at all; the nodes do not talk to each other.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: full
    description: A copy that is equal is not made again.
options:
  state:
    description:
      - With V(measured) it is returned how much is stored in O(paths), and how much room there is beside them and for
        O(targets).
      - With V(copied) O(source.path) of one node is copied to O(target.path) of the other one.
    type: str
    choices: [measured, copied]
    default: measured
  paths:
    description: The directories to measure. They need not be there.
    type: list
    elements: path
    default: []
  targets:
    description:
      - Directories to which something may be copied. They need not be there.
      - What runs that were cut short have left there counts as room, for a copy takes its place.
    type: list
    elements: path
    default: []
  node_name:
    description: The name of the node on which this runs; needed to copy.
    type: str
  source:
    description: What is copied; needed to copy.
    type: dict
    suboptions:
      node:
        description: The name of the node that has it.
        type: str
        required: true
      path:
        description: The directory there.
        type: path
        required: true
  target:
    description: Where it is copied to; needed to copy.
    type: dict
    suboptions:
      node:
        description: The name of the node that gets it.
        type: str
        required: true
      path:
        description: The directory there. Nobody else may use it, for what is in it and differs is replaced.
        type: path
        required: true
      address:
        description: The address at which that node is reached by the other one.
        type: str
        required: true
  run:
    description:
      - Any word, the same on both nodes, and another one in each run.
      - By that a sender does not take the receiver of a run that was killed for its own.
    type: str
    default: ''
  port:
    description: The port at which the receiver waits.
    type: int
    default: 10247
  data_dir:
    description: The data directory of k3s.
    type: path
    default: /var/lib/rancher/k3s
seealso:
  - module: hearth.cluster.volume_move
"""

EXAMPLES = r"""
- name: See how much is stored
  hearth.cluster.volume_copy:
    paths: [/var/lib/rancher/k3s/storage/pvc-1_blog_uploads]

- name: Copy it from pi2 to pi3, in a play of both
  hearth.cluster.volume_copy:
    state: copied
    node_name: "{{ inventory_hostname }}"
    source:
      node: pi2
      path: /var/lib/rancher/k3s/storage/pvc-1_blog_uploads
    target:
      node: pi3
      path: /var/lib/rancher/k3s/storage/pvc-1_blog_uploads.moved-1
      address: 192.168.1.13
"""

RETURN = r"""
stored:
  description: How many bytes each of the directories takes, by its path.
  returned: when something is measured
  type: dict
content:
  description: Whether each of the directories is V(filled), V(empty) or V(absent), by its path.
  returned: when something is measured
  type: dict
room:
  description: How many bytes there is room for beside the directories, if a tenth of the disk stays free.
  returned: when something is measured
  type: int
left:
  description: How many bytes runs that were cut short have left where something may be copied to.
  returned: when something is measured
  type: int
files:
  description: How many files were compared.
  returned: when something is copied, unless in check mode
  type: int
bytes:
  description: How many bytes they have.
  returned: when something is copied, unless in check mode
  type: int
digest:
  description: The checksum of all of them, of their names, owners, modes, times and attributes.
  returned: when something is copied, unless in check mode
  type: str
reason:
  description: A stable word for the kind of failure, for example V(difference), V(connection), V(superseded).
  returned: failure
  type: str
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import InputError
from ..module_utils._faces import reporting_errors
from ..module_utils._host.volume_copy import Place, Wire, fullness_of, left_at, receive, room_at, send, stored_in

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["measured", "copied"], "default": "measured"},
    "paths": {"type": "list", "elements": "path", "default": []},
    "targets": {"type": "list", "elements": "path", "default": []},
    "node_name": {"type": "str"},
    "source": {
        "type": "dict",
        "options": {"node": {"type": "str", "required": True}, "path": {"type": "path", "required": True}},
    },
    "target": {
        "type": "dict",
        "options": {
            "node": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "address": {"type": "str", "required": True},
        },
    },
    "run": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 10247},
    "data_dir": {"type": "path", "default": "/var/lib/rancher/k3s"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "copied", ("node_name", "source", "target"))],
        supports_check_mode=True,
    )
    with reporting_errors(module):
        if module.params["state"] == "measured":
            module.exit_json(changed=False, **measure(module.params["paths"], module.params["targets"]))
        if module.check_mode:
            module.exit_json(changed=True)
        module.exit_json(**copy(module.params))


def measure(paths: list[str], targets: list[str]) -> dict[str, Any]:
    """What the machine holds, and what it has room for."""
    left = sum(left_at(Path(each)) for each in targets)
    return {
        "stored": {each: stored_in(Path(each)) for each in paths},
        "content": {each: fullness_of(Path(each)) for each in paths},
        "left": left,
        "room": min((room_at(Path(each), freed=left) for each in [*paths, *targets]), default=0),
    }


def copy(options: dict[str, Any]) -> dict[str, Any]:
    """Be the one side or the other."""
    source = Place(options["source"]["node"], Path(options["source"]["path"]))
    target = Place(options["target"]["node"], Path(options["target"]["path"]))
    wire = Wire(options["target"]["address"], options["port"], options["run"], Path(options["data_dir"]))
    if options["node_name"] == source.node:
        return {"changed": False, **asdict(send(source.path, target, wire))}
    if options["node_name"] == target.node:
        content, copied = receive(source.node, target.path, wire)
        return {"changed": copied, **asdict(content)}
    raise InputError(f"node {options['node_name']} is neither {source.node}, which sends, nor {target.node}")


if __name__ == "__main__":
    main()
