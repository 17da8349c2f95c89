#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_move
short_description: Make claims use their data on another node
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - A volume of C(local-path) is a directory of one machine and pins its pods to it. This module plans which volumes of
    a node would move, and makes their claims use the copies on another node, which M(hearth.cluster.volume_copy) makes.
  - The playbook C(hearth.cluster.evacuate) has the whole of it, with C(-e move_volumes=true).
  - Nothing is ever deleted. The data on the old node stay as they are, and the volume remembers where.
  - It can be interrupted at any moment. What is under way stands in the claim, and the next run ends it.
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
attributes:
  check_mode:
    support: full
    description: Says what would move, and refuses as a real run would.
  diff_mode:
    support: none
    description: The claims stay as they are, and the volumes differ in their place alone, which is returned.
  idempotent:
    support: full
    description: Where no volume is left on the node nothing is written.
options:
  node:
    description: The node whose volumes move.
    type: str
    required: true
  state:
    description:
      - With V(planned) nothing is changed; what would move is returned.
      - With V(moved) the claims use the data on O(to). They must have been copied there, and no pod may use them.
      - With V(cleaned) the volumes forget the old copies on the node. Remove these first, for no other list has them.
    type: str
    choices: [planned, moved, cleaned]
    default: planned
  to:
    description:
      - The node to which all of them move. Without it, one of those that can take them.
      - That is the one to which an earlier run has begun to copy, or else the one with most room.
    type: str
    default: ''
  measured:
    description:
      - What M(hearth.cluster.volume_copy) has returned on each machine when it measured, by the names of the nodes.
      - Without it nothing is known of their disks.
    type: dict
    default: {}
  health_before:
    description:
      - How the workloads were before their pods were stopped, as RV(health) of a plan made by then says it.
      - One that was V(ill) is not waited for. One of which it is V(unknown) is waited for, and if it does not become
        healthy that is a warning. One that was V(well), or that is not named, must become healthy.
    type: dict
    default: {}
  wait_timeout:
    description: How many seconds to wait until the workloads are healthy on the other node; with 0 not at all.
    type: int
    default: 300
  progress_file:
    description:
      - A file to which lines are appended that say how far the run is.
      - Where the module runs on the controller its action plugin sets this, and shows the lines while the module runs.
    type: path
seealso:
  - module: hearth.cluster.volume_copy
  - module: hearth.cluster.node
"""

EXAMPLES = r"""
- name: See what is stored on a node, and which nodes could take it
  hearth.cluster.volume_move:
    node: pi2
  register: planned

- name: Use the copies on another node
  hearth.cluster.volume_move:
    node: pi2
    to: pi3
    state: moved
    health_before: "{{ planned.health }}"
"""

RETURN = r"""
message:
  description: What happened, in one line.
  returned: success
  type: str
  sample: "Node pi2: 1 volume moved to pi3, 1 workload healthy there"
to:
  description: The node that takes the volumes; empty where none moves, or where it is not decided yet.
  returned: success
  type: str
address:
  description: The address at which the other nodes reach it.
  returned: success
  type: str
run:
  description: A word that no other run has, for M(hearth.cluster.volume_copy).
  returned: success
  type: str
nodes:
  description: The nodes that could take them.
  returned: success
  type: list
  elements: str
moves:
  description: The volumes that move, or have moved.
  returned: success
  type: list
  elements: dict
  contains:
    claim:
      description: Namespace and name of the claim.
      type: str
    volume:
      description: The name of its volume.
      type: str
    path:
      description: The directory on the node.
      type: str
    new_path:
      description: The directory on the other node.
      type: str
    pods:
      description: The pods that use the claim, or will as soon as a node can take them.
      type: list
      elements: str
    to:
      description: The node that has the data already, if an earlier run came so far.
      type: str
    is_copied:
      description: Whether an earlier run came so far.
      type: bool
old_copies:
  description: Older copies of data that lie on the node, each with C(claim), C(node) and C(path).
  returned: success
  type: list
  elements: dict
health:
  description:
    - How each workload is that uses the volumes, by its kind, namespace and name, for example
      C(StatefulSet blog/database).
    - V(well), V(ill), or V(unknown) where its pods are stopped, for example by a drain that was cut short, or where
      its data have moved already.
  returned: with O(state=planned)
  type: dict
obstacles:
  description: Why the volumes cannot be moved.
  returned: when that is refused
  type: list
  elements: str
reason:
  description: A stable word for the kind of failure, for example V(obstacles), V(in_use), V(timeout).
  returned: when the API server refuses, or the state is not reached
  type: str
"""

import secrets
from dataclasses import replace

from ..module_utils._cluster.mover import Served
from ..module_utils._cluster.result_volumes import result_of_moves, warnings_about
from ..module_utils._cluster.spec import VOLUMES, mover_for
from ..module_utils._cluster.volumes import left_elsewhere, target_of
from ..module_utils._errors import InputError
from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION, reporter_for


def main() -> None:
    module = DiscreetModule(argument_spec={**CONNECTION, **VOLUMES}, supports_check_mode=True)
    given, state = module.params, module.params["state"]
    with reporting_errors(module):
        mover = mover_for(given, reporter_for(given))
        plan = mover.plan(given["node"])
        to = "" if state == "cleaned" else target_of(plan, given["to"], given["measured"])
        if state == "moved" and plan.moves and not to:
            raise InputError(f"Which node shall have the volumes? Name it with to: {' or '.join(plan.candidates)}")
        served, health = Served(), {"health": mover.health_of_users(plan)} if state == "planned" else {}
        if state == "moved" and plan.moves and not module.check_mode:
            served = mover.move(plan, to, float(given["wait_timeout"]), given["health_before"])
            plan = replace(plan, old_copies=mover.plan(plan.node).old_copies)
        if state == "cleaned" and not module.check_mode:
            mover.forget_old_copies(plan.node)
        address = mover.address_of(to) if to else ""
        result = result_of_moves(plan, state, to, served, check=module.check_mode)
    for warning in (*left_elsewhere(plan, to, given["measured"]), *warnings_about(served, to)):
        module.warn(warning)
    module.exit_json(**result, **health, address=address, run=secrets.token_hex(8))


if __name__ == "__main__":
    main()
