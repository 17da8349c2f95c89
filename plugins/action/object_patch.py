# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name and shows, while it runs, what it waits for."""

from __future__ import annotations

from ..plugin_utils._progress import FollowingAction


class ActionModule(FollowingAction):
    """The action plugin of the module object_patch."""

    module = "hearth.cluster.object_patch"
