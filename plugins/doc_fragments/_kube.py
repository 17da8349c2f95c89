# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Documentation of the options by which modules find a cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the action group C(hearth.cluster.kube)."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The kubeconfig file on the controller.
      - Without it, the environment variable E(KUBECONFIG) and then C(~/.kube/config) are used.
    type: path
  context:
    description: The context of the kubeconfig to use, its current one by default.
    type: str
  server:
    description:
      - The address of the API server, in place of the one that the kubeconfig names.
      - Useful while the server of the kubeconfig is down and another one of the cluster is up.
    type: str
  request_timeout:
    description: How many seconds to wait for the answer to one request.
    type: int
    default: 60
requirements:
  - PyYAML
  - kubernetes >= 30.1, where a program makes the kubeconfig's credentials, or E(KUBECONFIG) names several files
"""

    ATTRIBUTES = r"""
attributes:
  action_group:
    description: Use C(group/hearth.cluster.kube) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - hearth.cluster.kube
"""
