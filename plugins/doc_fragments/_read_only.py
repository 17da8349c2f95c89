# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What holds for every module that only looks."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode); this module never changes anything.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: full
    description: This module never changes anything.
"""
