#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Cordon, drain, label, taint and delete a node of a cluster
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Works on the Node object through the API server, so it runs on the controller, and the machine need not answer.
  - A drain evicts pods through the eviction API, so that disruption budgets are kept. Everything that would stand in
    its way is looked for first, and told with the names of the pods, before anything is changed.
  - A drain that fails opens the node again, unless the node was cordoned before, or another run has drained it
    meanwhile. Runs know each other by the annotation C(hearth.cluster/drain), which a node has while it is drained.
  - A drain that was killed is ended by the next one, which also waits for what the first has moved; a node that is
    drained says that in the annotation C(hearth.cluster/drain-awaits).
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
attributes:
  check_mode:
    support: full
    description: The pods that would go are looked up, and what stands in their way is an error as in a real run.
  diff_mode:
    support: full
    description: Returns what changes in the node, and the pods that leave it.
  idempotent:
    support: full
    description: A node that is as it shall be is not written to.
options:
  name:
    description: The name of the node. One that does not exist is an error, except with O(state=absent).
    type: str
    required: true
  state:
    description:
      - With V(present) the node gets what O(cordoned), O(labels) and O(taints) say.
      - With V(drained) it is cordoned and emptied as well.
      - V(returned) takes back the cordon of a drain. A cordon that somebody else has set stays, also if it was there
        before the node was drained, or was asked for since with O(cordoned=true). What C(kubectl cordon) says to a node
        that is cordoned already leaves no trace.
      - With V(absent) the Node object is deleted, with it, by k3s, the etcd member of a server, and the password by
        which k3s would know the machine again. A k3s that starts on the machine later registers itself anew.
        Without O(remember) what was kept for the name goes as well.
      - V(restored) gives the node what O(remember) has kept for it, as far as it has not got that from its machine.
    type: str
    choices: [present, drained, returned, restored, absent]
    default: present
  cordoned:
    description: Whether new pods are kept away from the node; as it is by default. Only with O(state=present).
    type: bool
  labels:
    description: Labels the node shall have; one whose value is V(null) it shall not have. Others stay as they are.
    type: dict
    default: {}
  taints:
    description: Taints the node shall have or shall not have. Others stay as they are.
    type: list
    elements: dict
    default: []
    suboptions:
      key:
        description: The key of the taint.
        type: str
        required: true
      value:
        description: Its value.
        type: str
        default: ''
      effect:
        description:
          - What it does to pods that do not tolerate it. V(NoExecute) ends those that run there and asks no budget.
          - Needed unless the taint shall be absent; then all taints of the key go.
        type: str
        choices: [NoSchedule, PreferNoSchedule, NoExecute]
      state:
        description: Whether it shall be there.
        type: str
        choices: [present, absent]
        default: present
  daemon_sets:
    description:
      - What a drain does about pods of a DaemonSet. Evicting them is no choice, for they would come back at once.
      - In this option and the next ones, V(refuse) is to change nothing as long as there is such a pod, V(leave) lets
        it run where it is, and V(evict) evicts it. A pod that several options are about goes only if all let it go.
      - Static pods, which the kubelet runs from files, always stay.
    type: str
    choices: [leave, refuse]
    default: leave
  finished_pods:
    description: What a drain does about pods that have ended; V(evict) removes them, and their logs with them.
    type: str
    choices: [leave, evict, refuse]
    default: leave
  unmanaged_pods:
    description: What a drain does about pods without a controller; V(evict) deletes them for good.
    type: str
    choices: [refuse, evict, leave]
    default: refuse
  empty_dirs:
    description:
      - What a drain does about pods that keep something in an C(emptyDir), which is lost with the pod.
      - Such a volume never outlives its pod, so its content is scratch by design, and even pods that k3s brings have
        one. They are evicted by default, and named in the lines of progress.
    type: str
    choices: [evict, refuse, leave]
    default: evict
  immovable_pods:
    description:
      - What a drain does about pods that no other node can take, because of the node's labels and taints, because they
        must not share a host or a port of it, because of how they must be spread (C(topologySpreadConstraints)),
        because pods beside which they must run (C(podAffinity)) are not there, or because their volume lies on this
        node (as those of C(local-path) do).
      - V(evict) stops them until a node can take them; their data stay where they are.
    type: str
    choices: [refuse, evict, leave]
    default: refuse
  forbidding_budgets:
    description:
      - What a drain does about pods that a disruption budget would never let go, for example where C(minAvailable)
        is the number of replicas.
      - V(delete) deletes such a pod without asking the budget. All other budgets are kept in any case.
    type: str
    choices: [refuse, delete, leave]
    default: refuse
  moving_claims:
    description:
      - Claims, as namespace and name, whose volumes are moved once the node is empty, by M(hearth.cluster.volume_move),
        or are given up with it.
      - Pods that are pinned to the node by nothing else are evicted, and not waited for.
    type: list
    elements: str
    default: []
  grace_period:
    description: How many seconds an evicted or deleted pod gets to end, in place of what the pod itself says.
    type: int
  drain_timeout:
    description: How many seconds to wait until the pods are gone, or until the Node object is.
    type: int
    default: 300
  wait:
    description:
      - Wait until every workload whose pods were evicted is healthy elsewhere.
      - Jobs, workloads that were not healthy before, or are deleted meanwhile, and workloads whose pods cannot move are
        not waited for.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait for that.
    type: int
    default: 300
  delete_undrained:
    description:
      - Delete the Node object though pods run there; meant for a machine that is lost.
      - Pods that the options allow a drain to leave there do not count.
    type: bool
    default: false
  remember:
    description:
      - Only with O(state=absent). Keep in the cluster what the node was given by hand, its labels, its taints and the
        cordon of a person, for the machine that takes its name.
    type: bool
    default: false
  rebalance:
    description:
      - Whether pods are evicted from other nodes so that this one gets its share. Only with O(state=returned).
      - Of each workload that runs in several pods at most one goes, as its disruption budget allows it, from the node
        that has most of such pods, if this one can take it. The next goes when the workload is healthy again.
      - A workload that is not healthy gives none.
      - A node has its share when it has as many of these pods as if they were spread evenly, rounded down.
    type: bool
    default: false
  progress_file:
    description:
      - A file to which lines are appended that say how far the run is.
      - Where the module runs on the controller its action plugin sets this, and shows the lines while the module runs.
    type: path
seealso:
  - module: hearth.cluster.cluster_info
"""

EXAMPLES = r"""
- name: Keep new pods away
  hearth.cluster.node:
    name: pi2
    cordoned: true

- name: Say what the machine has, and keep ordinary pods away from it
  hearth.cluster.node:
    name: pi3
    labels:
      disk: ssd
      old-label: null
    taints:
      - {key: dedicated, value: database, effect: NoSchedule}

- name: See what would move, and what cannot
  hearth.cluster.node:
    name: pi2
    state: drained
  check_mode: true

- name: Empty the node, stop what has its data there
  hearth.cluster.node:
    name: pi2
    state: drained
    immovable_pods: evict

- name: Take it into service again, unless somebody had cordoned it before
  hearth.cluster.node:
    name: pi2
    state: returned

- name: Forget a machine that is lost
  hearth.cluster.node:
    name: pi2
    state: absent
    delete_undrained: true

- name: Forget a machine in whose place another one comes
  hearth.cluster.node:
    name: pi2
    state: absent
    delete_undrained: true
    remember: true

- name: Give the new one what the former had, once it has joined
  hearth.cluster.node:
    name: pi2
    state: restored
"""

RETURN = r"""
message:
  description: What happened, in one line.
  returned: success
  type: str
  sample: "Node pi2: cordoned, 5 pods evicted, 3 workloads healthy elsewhere"
node:
  description: The node as it is, or would be in check mode.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    exists:
      description: Whether it is in the cluster.
      type: bool
    ready:
      description: Whether its kubelet says that it works.
      type: bool
    cordoned:
      description: Whether new pods are kept away.
      type: bool
    labels:
      description: Its labels.
      type: dict
    taints:
      description: Its taints, each with C(key), C(value) and C(effect).
      type: list
      elements: dict
fields:
  description: The fields of the Node object that changed.
  returned: success
  type: list
  elements: str
evicted:
  description: The pods that left the node, or would leave it, as namespace and name.
  returned: success
  type: list
  elements: str
  sample: [blog/blog-6d4cf56db6-x7k2p]
balanced:
  description: The pods that were evicted from other nodes so that this one gets its share.
  returned: success
  type: list
  elements: str
left:
  description: The pods that a drain left there.
  returned: success
  type: list
  elements: dict
  contains:
    pod:
      description: Namespace and name.
      type: str
    reason:
      description: Why it stays.
      type: str
moved:
  description: The workloads that were waited for, each with C(kind), C(namespace) and C(name).
  returned: success
  type: list
  elements: dict
came_back:
  description:
    - Pods that have come to the node since it was cordoned, because they tolerate the cordon or name the node.
  returned: success
  type: list
  elements: str
unhealthy_before:
  description: Workloads that were not healthy before the drain, and were not waited for.
  returned: success
  type: list
  elements: dict
obstacles:
  description: What stands in the way of a drain, each with C(pod), C(reason) and the C(option) that decides about it.
  returned: when a drain is refused
  type: list
  elements: dict
pods:
  description: The pods that are still on the node.
  returned: when they did not go in time, or the node was to be deleted with them
  type: list
  elements: str
reason:
  description: A stable word for the kind of failure, for example V(obstacles), V(timeout), V(undrained).
  returned: when the API server refuses, or the state is not reached
  type: str
"""

from ..module_utils._cluster.result_node import result_of_work, warnings_about
from ..module_utils._cluster.spec import NODE, keeper_for, task_of
from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION, reporter_for


def main() -> None:
    module = DiscreetModule(argument_spec={**CONNECTION, **NODE}, supports_check_mode=True)
    with reporting_errors(module):
        task = task_of(module.params)
        keeper = keeper_for(module.params, check=module.check_mode, report=reporter_for(module.params))
        outcome = keeper.run(task)
        result = result_of_work(outcome, task, check=module.check_mode, with_diff=module._diff)
    for warning in warnings_about(outcome):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
