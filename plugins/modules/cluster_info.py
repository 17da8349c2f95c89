#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_info
short_description: How a cluster is, seen through its API server
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Tells versions, nodes, the members of the embedded etcd, pods and workloads that are not healthy, and APIs that
    are in use and that a later Kubernetes does not serve.
  - What only a machine itself can tell is not part of it. M(hearth.cluster.k3s_info) tells on the machine which k3s is
    installed, what it keeps its data in and how much room there is; playbook C(hearth.cluster.certificates) tells how
    long certificates are good for.
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
  - hearth.cluster._read_only
options:
  deprecated_apis:
    description:
      - Whether to look for RV(deprecated_apis), which takes longest.
      - Without it nothing is known of them, and nothing said.
    type: bool
    default: true
seealso:
  - module: hearth.cluster.k3s_info
  - module: hearth.cluster.node
  - module: hearth.cluster.package_info
"""

EXAMPLES = r"""
- name: Look at the cluster
  hearth.cluster.cluster_info:
    kubeconfig: ~/.kube/home.yaml
  register: cluster

- name: Go on only if every node is ready
  ansible.builtin.assert:
    that: cluster.nodes | rejectattr('ready') | length == 0

- name: Go on only if etcd survives the loss of one server
  ansible.builtin.assert:
    that: cluster.etcd.can_lose > 0

- name: Show what stands in the way of an upgrade to 1.38
  ansible.builtin.debug:
    msg: "{{ item.manager }} writes {{ item.kind }} {{ item.namespace }}/{{ item.name }} as {{ item.api_version }}"
  loop: "{{ cluster.deprecated_apis.objects | selectattr('removed_in', 'version', '1.38', '<=') }}"
"""

RETURN = r"""
version:
  description: The version of the API server that answered.
  returned: success
  type: str
  sample: v1.36.3+k3s1
ready:
  description: Whether that API server calls itself ready (C(/readyz)).
  returned: success
  type: bool
failing_checks:
  description: The names of its checks that fail.
  returned: success
  type: list
  elements: str
nodes:
  description: All nodes, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    ready:
      description: Whether its kubelet says that it works.
      type: bool
    cordoned:
      description: Whether new pods are kept away.
      type: bool
    roles:
      description: Its roles, none for an agent.
      type: list
      elements: str
      sample: [control-plane, etcd]
    version:
      description: The version of the kubelet that runs there.
      type: str
    container_runtime:
      description: The container runtime and its version.
      type: str
    os_image:
      description: The operating system.
      type: str
    kernel:
      description: The version of the kernel.
      type: str
    architecture:
      description: The architecture.
      type: str
    addresses:
      description: Its addresses, each with C(type) and C(address).
      type: list
      elements: dict
    conditions:
      description: Its conditions, each with C(type), C(status), C(reason), C(message) and C(since).
      type: list
      elements: dict
    labels:
      description: Its labels.
      type: dict
    taints:
      description: Its taints, each with C(key), C(value) and C(effect).
      type: list
      elements: dict
    pods:
      description: How many pods are there.
      type: int
    created:
      description: Since when the node is in the cluster.
      type: str
etcd:
  description:
    - The embedded etcd, as k3s notes it on the nodes. Without members the cluster keeps its state in SQLite or in a
      datastore elsewhere.
    - k3s writes these notes as long as etcd has a quorum. Later they tell how it was.
  returned: success
  type: dict
  contains:
    members:
      description:
        - Each with C(node), its C(name) and C(address) in etcd, whether it is a C(voter), and a C(message) about that.
          Whether it is a voter is V(null) before anything was said of it.
      type: list
      elements: dict
    voters:
      description: The nodes of the members that vote.
      type: list
      elements: str
    quorum:
      description: How many voters must be alive.
      type: int
    can_lose:
      description: How many of the voters whose nodes are ready can be lost.
      type: int
pods:
  description: The pods of all namespaces.
  returned: success
  type: dict
  contains:
    total:
      description: How many there are.
      type: int
    phases:
      description: How many there are in each phase.
      type: dict
    unhealthy:
      description:
        - Those that are not as they should be, each with C(namespace), C(name), C(node), C(phase), C(status) and
          C(message), and C(owner), the kind and name of what made it, a Deployment rather than its ReplicaSet.
        - One that has failed is among them until it is deleted, also where another one has taken its place.
      type: list
      elements: dict
workloads:
  description: The Deployments, StatefulSets and DaemonSets of all namespaces.
  returned: success
  type: dict
  contains:
    total:
      description: How many there are.
      type: int
    known:
      description: Whether the credentials may list all of them.
      type: bool
    unhealthy:
      description:
        - Those that lack healthy pods, be these ill, too few, or of an old revision, each with C(kind), C(namespace),
          C(name), C(status) and C(message).
      type: list
      elements: dict
deprecated_apis:
  description: APIs in use that a later Kubernetes does not serve.
  returned: success
  type: dict
  contains:
    requests_known:
      description: Whether the credentials may read the counters of the API server (C(/metrics)).
      type: bool
    requested:
      description:
        - What was asked of the API server that answered, since its start, each with C(group), C(version), C(resource)
          and C(removed_in), which is empty where that is not decided.
      type: list
      elements: dict
    objects_known:
      description: Whether the credentials may list all kinds of objects that there are such versions of.
      type: bool
    objects:
      description:
        - Objects that somebody writes in such a version, each with C(api_version), C(kind), C(namespace), C(name),
          C(manager) (who writes it) and C(removed_in).
        - The list of such versions is that of Kubernetes 1.36.
      type: list
      elements: dict
reason:
  description: A stable word for the kind of failure, for example V(forbidden) or V(unreachable).
  returned: when the API server refuses
  type: str
"""

from ..module_utils._cluster.result_info import result_of_survey
from ..module_utils._cluster.spec import CLUSTER_INFO, survey_for
from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION


def main() -> None:
    module = DiscreetModule(argument_spec={**CONNECTION, **CLUSTER_INFO}, supports_check_mode=True)
    with reporting_errors(module):
        picture = survey_for(module.params).look(with_apis=module.params["deprecated_apis"])
        result = result_of_survey(picture)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
