# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where k3s is on a machine."""

    DOCUMENTATION = r"""
options:
  data_dir:
    description: The data directory of k3s.
    type: path
    default: /var/lib/rancher/k3s
  port:
    description: The port of the server's API.
    type: int
    default: 6443
"""
