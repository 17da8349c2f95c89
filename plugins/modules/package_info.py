#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_info
short_description: What is installed in a cluster, how it is, and what differs from what was sent
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Reads the records of M(hearth.cluster.package) and compares them with the objects that are there.
  - What differs is told from metadata alone, by one request for each kind and namespace. Which fields differ is asked
    of the server, by dry run, with O(exact).
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
  - hearth.cluster._read_only
options:
  name:
    description: Names of the packages to look at, all that are installed by default.
    type: list
    elements: str
    default: []
  exact:
    description:
      - Ask the server which fields of changed objects the next run of their package would set back.
      - Reads what was sent last from the history of the package.
    type: bool
    default: false
seealso:
  - module: hearth.cluster.package
"""

EXAMPLES = r"""
- name: Look at everything that is installed
  hearth.cluster.package_info:
    kubeconfig: ~/.kube/home.yaml
  register: installed

- name: Show what runs in which version
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.version }}: {{ item.health.message }}"
  loop: "{{ installed.packages }}"
  loop_control:
    label: "{{ item.name }}"

- name: Show what somebody changed by hand
  hearth.cluster.package_info:
    name: [blog]
    exact: true
  register: blog

- name: Fail when it did change
  ansible.builtin.assert:
    that: not blog.packages[0].drifted
"""

RETURN = r"""
packages:
  description: The packages, in the order of O(name), else by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the package.
      type: str
    installed:
      description: Whether it is in the cluster; a package that is not has the same keys, with nothing in them.
      type: bool
    source:
      description: Where its objects came from.
      type: str
      sample: github metallb/metallb v0.16.1
    version:
      description: The version that was asked for, empty where the source has none.
      type: str
    digest:
      description: The SHA-256 of what was fetched.
      type: str
    release:
      description: The number of the release that is in the cluster.
      type: int
    healthy:
      description: Whether the last run saw everything healthy.
      type: bool
    health:
      description: How it is now, by the rules of the kinds of its objects.
      type: dict
      contains: &health
        status:
          description: One of C(Current), C(InProgress), C(Failed), C(Terminating) and C(Unknown).
          type: str
        message:
          description: The same for people.
          type: str
    drifted:
      description: Whether anything differs from what was sent.
      type: bool
    counts:
      description: How many objects there are, how many are ready, and how many differ in which way.
      type: dict
      sample: {objects: 12, ready: 12, missing: 0, replaced: 0, changed: 1, terminating: 0, unfinished: 0}
    objects:
      description: Every object on record.
      type: list
      elements: dict
      contains:
        api_version:
          description: The version it was sent in.
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
        health:
          description: How it is now.
          type: dict
          contains: *health
        drift:
          description:
            - What became of it, empty when it is as it was sent.
            - C(missing) was deleted. C(replaced) was deleted and made again by somebody else. C(changed) has fields of
              the package that somebody else has set. C(terminating) is being deleted. C(unfinished) was never made,
              because a run was interrupted.
          type: str
        managers:
          description: Who set fields of it since it was sent.
          type: list
          elements: str
        fields:
          description: The fields that the next run would set back, with O(exact).
          type: list
          elements: str
    history:
      description: The releases that are kept, the newest last.
      type: list
      elements: dict
      contains:
        release:
          description: Its number.
          type: int
        current:
          description: Whether it is the one in the cluster.
          type: bool
        made:
          description: When it was made.
          type: str
        source:
          description: Where its objects came from.
          type: str
        version:
          description: The version that was asked for.
          type: str
        digest:
          description: The SHA-256 of what was fetched.
          type: str
        objects:
          description: How many objects it has.
          type: int
        healthy:
          description: Whether all of it was seen healthy at some time.
          type: bool
        withdrawn:
          description: Whether somebody went back from it to an earlier one.
          type: bool
reason:
  description: A stable word for the kind of failure, for example V(forbidden) or V(unreachable).
  returned: when the API server refuses
  type: str
"""

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION
from ..module_utils._package.result_info import result_of_survey
from ..module_utils._package.spec_live import INFO, survey_for


def main() -> None:
    module = DiscreetModule(argument_spec={**CONNECTION, **INFO}, supports_check_mode=True)
    with reporting_errors(module):
        result = result_of_survey(survey_for(module.params).of(module.params["name"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
