# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. Has its filters and lookups loaded once for a whole run.

Ansible forks a process for each task on each host. One that needs a filter of a collection loads all of them, compiled
from their sources, and they are gone with it: that was half the time of a run that finds nothing to do. What is loaded
before the fork is inherited, and all that a strategy loads of a collection there are the action plugins of the tasks
(``ansible.plugins.strategy.linear``). So these begin with this.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def preload() -> None:
    for kind in ("filter", "lookup"):
        package = import_module(f"ansible_collections.hearth.cluster.plugins.{kind}")
        for found in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{found.name}")
