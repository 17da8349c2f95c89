#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_config
short_description: Set the kernel command line and config.txt of a Raspberry Pi
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Parses the two files that the firmware of a Raspberry Pi starts from, changes what is asked for, and keeps every
    other byte.
  - The files are found where the firmware reads them, in C(/boot/firmware) or C(/boot), by looking for them.
    A command line file that C(config.txt) names by C(cmdline) or C(os_prefix) is the one that is changed.
  - Each file is replaced in one step, so that after a power cut it is the old one or the new one.
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: full
    description: Returns what has changed, one argument or setting a line.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
options:
  boot_directory:
    description:
      - The folder with the boot files.
      - Without it they are looked for in C(/boot/firmware) and then in C(/boot).
    type: path
extends_documentation_fragment:
  - hearth.cluster._boot_files
seealso:
  - module: hearth.cluster.boot_media
  - name: config.txt
    description: The settings and filters that the firmware knows.
    link: https://www.raspberrypi.com/documentation/computers/config_txt.html
"""

EXAMPLES = r"""
- name: Let the kernel account for memory, which k3s needs
  hearth.cluster.boot_config:
    command_line:
      present:
        cgroup_enable: [memory]
      absent: [cgroup_memory]
  register: boot

- name: Start again only if the running kernel has other settings
  ansible.builtin.reboot:
  when: boot.reboot_needed

- name: Switch off the radios and the sound, and share less memory with the graphics
  hearth.cluster.boot_config:
    config:
      - settings:
          gpu_mem: 16
        device_tree:
          audio: false
        overlays:
          disable-wifi: {}
          disable-bt: {}
      - filter: pi5
        overlays:
          disable-wifi-pi5: {}
          disable-bt-pi5: {}

- name: Use the kernel with 4 KiB pages on a Raspberry Pi 5
  hearth.cluster.boot_config:
    config:
      - filter: pi5
        settings:
          kernel: kernel8.img

- name: No longer load an overlay on a card that is mounted elsewhere
  hearth.cluster.boot_config:
    boot_directory: /media/card
    config:
      - overlays:
          vc4-kms-v3d: null
"""

RETURN = r"""
reboot_needed:
  description:
    - Whether the running kernel was started with anything but what the files say after this task.
    - The command line is compared with C(/proc/cmdline). C(config.txt), and a command line that another boot loader
      or a container's host has set, are compared with what the files said when the machine started.
    - Without meaning for the card of another machine in O(boot_directory).
  returned: success
  type: bool
  sample: true
boot_directory:
  description: The folder in which the boot files were found.
  returned: success
  type: str
  sample: /boot/firmware
changed_files:
  description: The files that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/boot/firmware/cmdline.txt]
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._faces import reporting_errors
from ..module_utils._pi.boot_config import Request, plan, reboot_needed
from ..module_utils._pi.boot_files import find_boot_directory, read_text, read_texts, write_text
from ..module_utils._pi.boot_record import BootRecord
from ..module_utils._pi.options import BOOT_FILES

ROOT = Path("/")

ARGUMENTS = {**BOOT_FILES, "boot_directory": {"type": "path"}}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with reporting_errors(module):
        request = Request.from_params(module.params["command_line"], module.params["config"])
        directory = find_boot_directory(ROOT, module.params["boot_directory"])
        todo = plan(read_texts(directory), request)
        record = BootRecord(ROOT)
        changed_since_boot = record.note(directory, todo)
        if not module.check_mode:
            record.save()
            for file in todo.changes:
                write_text(directory / file.name, file.after)
        module.exit_json(
            changed=bool(todo.changes),
            changed_files=[str(directory / file.name) for file in todo.changes],
            boot_directory=str(directory),
            reboot_needed=reboot_needed(todo, request, read_text(ROOT / "proc/cmdline") or "", changed_since_boot),
            diff=[file.diff(str(directory)) for file in todo.changes],
        )


if __name__ == "__main__":
    main()
