# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. The options of ``module_utils/_pi/options.py``."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  command_line:
    description: Arguments of the kernel. Those that are not named here stay as they are, wherever they stand.
    type: dict
    suboptions:
      present:
        description:
          - The arguments to have, by name.
          - A string or number is the only value of that name; other values of it are taken out.
          - A list holds values that the name has beside others, for names such as C(console) and C(cgroup_enable) that
            may be repeated.
          - V(true) or null is an argument without a value.
        type: dict
        default: {}
      absent:
        description: Names, or whole arguments such as V(console=tty1), that are not to be there.
        type: list
        elements: str
        default: []
  config:
    description:
      - Settings of C(config.txt), grouped by the filter under which they hold.
      - A setting is changed where it stands if nothing after it under the same filter or a wider one says otherwise;
        if not, it is written at the end of the file, in a section of its filter.
    type: list
    elements: dict
    suboptions:
      filter:
        description:
          - The conditional filter without its brackets, such as V(all), V(pi4), V(cm5) or V(board-type=0x14).
        type: str
        default: all
      settings:
        description: Values by name; V(true) and V(false) are written as 1 and 0. Null removes the setting.
        type: dict
        default: {}
      device_tree:
        description:
          - Parameters of the base device tree (C(dtparam)); V(true) and V(false) are written as on and off.
            Null removes the parameter.
          - They are placed where no overlay can claim them.
        type: dict
        default: {}
      overlays:
        description:
          - Overlays to load (C(dtoverlay)) with their parameters as a mapping, C({}) for none. Parameters that are not
            named stay; a parameter that is null is removed.
          - Null in place of the mapping means that the overlay is not loaded.
        type: dict
        default: {}
"""
