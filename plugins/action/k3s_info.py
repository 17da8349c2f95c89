# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, as Ansible would: the first of most playbooks, and so the one to preload with."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..plugin_utils._preload import preload

preload()


class ActionModule(NormalAction):
    """The action plugin of the module k3s_info."""
