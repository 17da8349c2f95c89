#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: object_patch
short_description: Change one object of a cluster and watch until it is healthy again
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Reads one object, works out what the patch makes of it, and sends what differs. Where nothing differs nothing is
    sent.
  - Meant for what no package owns, such as an object that k3s brings. What a package owns is patched in the package,
    because its next run takes other changes back; the module warns of that.
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
attributes:
  check_mode:
    support: full
    description: The server predicts the change by dry run, so nothing is written.
  diff_mode:
    support: full
    description: Returns what changes in the object. Values of Secrets are replaced by words that still show a change.
  idempotent:
    support: partial
    description: A patch that adds to a list by O(json) adds again on every run; all others change nothing the second
      time.
options:
  kind:
    description: The kind of the object, with its group where several groups have that kind, as in
      C(Cluster.postgresql.cnpg.io).
    type: str
    required: true
  api_version:
    description: The version to read and write the object in, the one that the server prefers by default.
    type: str
  name:
    description: The name of the object. One that does not exist is an error.
    type: str
    required: true
  namespace:
    description: The namespace of the object; of no meaning for kinds that have none.
    type: str
    default: default
  merge:
    description:
      - Fields to merge into the object, V(null) removes one. Lists are merged by the merge keys of their kind, as in a
        patch of M(hearth.cluster.package).
      - Exactly one of O(merge), O(json) and O(set) is needed.
    type: dict
  lists:
    description: What O(merge) does with lists. With V(replace) it is a merge patch of RFC 7386, which replaces them.
    type: str
    choices: [merge, replace]
    default: merge
  json:
    description: Operations of RFC 6902.
    type: list
    elements: dict
  set:
    description: Values by dotted path, for example C(spec.template.spec.containers[name=web].image).
    type: dict
  manager:
    description: The name under which the server notes who set the fields.
    type: str
    default: hearth-patch
  wait:
    description: Wait until the object is healthy, and fail with the reason as soon as it cannot become so.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait for health.
    type: int
    default: 300
  healthy:
    description: A JMESPath expression that is true of the object when it is healthy, in place of the rule of its kind.
    type: str
  progress_file:
    description:
      - A file to which lines are appended that say how far the run is.
      - Where the module runs on the controller its action plugin sets this, and shows the lines while the module runs.
    type: path
seealso:
  - module: hearth.cluster.package
"""

EXAMPLES = r"""
- name: Let the DNS of the cluster run twice
  hearth.cluster.object_patch:
    kind: Deployment
    namespace: kube-system
    name: coredns
    set:
      spec.replicas: 2

- name: Give a container more memory, the others stay as they are
  hearth.cluster.object_patch:
    kind: Deployment
    namespace: blog
    name: blog
    merge:
      spec:
        template:
          spec:
            containers:
              - name: web
                resources: {limits: {memory: 256Mi}}

- name: See what an operation would do
  hearth.cluster.object_patch:
    kind: Service
    name: web
    json:
      - {op: replace, path: /spec/type, value: LoadBalancer}
  check_mode: true
  diff: true

- name: Add an instance to a database and wait until it is there
  hearth.cluster.object_patch:
    kind: Cluster.postgresql.cnpg.io
    namespace: postgresql
    name: postgresql
    set:
      spec.instances: 2
    healthy: status.readyInstances == `2`
"""

RETURN = r"""
message:
  description: What happened, in one line.
  returned: success
  type: str
  sample: "Deployment kube-system/coredns: spec.replicas changed"
object:
  description: The object.
  returned: success
  type: dict
  contains:
    api_version:
      description: The version it was written in.
      type: str
    kind:
      description: The kind.
      type: str
    namespace:
      description: The namespace, empty for kinds that have none.
      type: str
    name:
      description: The name.
      type: str
    uid:
      description: What tells it from others of the same name, at other times.
      type: str
fields:
  description: The fields that changed, or would change in check mode.
  returned: success
  type: list
  elements: str
  sample: [spec.replicas]
health:
  description: How the object is now.
  returned: success
  type: dict
  contains:
    status:
      description: One of C(Current), C(InProgress), C(Failed), C(Terminating) and C(Unknown).
      type: str
    message:
      description: The same for people.
      type: str
package:
  description: The package that the object belongs to, empty for none.
  returned: success
  type: str
reason:
  description: A stable word for the kind of failure, for example V(timeout), V(forbidden), V(unreachable).
  returned: when the API server refuses, or the object does not become healthy
  type: str
"""

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION, reporter_for
from ..module_utils._package.result_live import result_of_change, warnings_about
from ..module_utils._package.secrecy import secrets_of_patch
from ..module_utils._package.spec_live import OBJECT, change_of, patcher_for


def main() -> None:
    module = DiscreetModule(
        argument_spec={**CONNECTION, **OBJECT},
        mutually_exclusive=[("merge", "json", "set")],
        required_one_of=[("merge", "json", "set")],
        supports_check_mode=True,
        no_log=True,  # the patch can hold secrets, which must not reach the system's log
    )
    module.no_log_values |= secrets_of_patch(module.params["kind"], module.params)
    with reporting_errors(module):
        report = reporter_for(module.params, module.no_log_values)
        patcher = patcher_for(module.params, check=module.check_mode, report=report)
        changed = patcher.run(change_of(module.params, patcher.cluster.catalogue()))
        result = result_of_change(changed, with_diff=module._diff)
    for warning in warnings_about(changed):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
