#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Write a set of files as one change
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Compares a whole set of files and directories with what is on the machine, and writes only what differs.
  - Everything is compared before anything is written. Each file is written beside its place and renamed, so that no
    reader, and no power cut, ever sees half a file.
  - One run does the work of many, which matters on a slow machine behind SSH.
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: full
    description: Returns details on what has changed. The content of O(files[].secret_content) is never part of it.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
options:
  files:
    description: The paths, each as it shall be. Missing parent directories of a file are made with mode 0755.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The absolute path.
        type: path
        required: true
      state:
        description:
          - What shall be there. V(absent) also removes a directory with all its content.
          - A directory on which a file system is mounted cannot be removed, and is emptied.
        type: str
        choices: [file, directory, absent]
        default: file
      touches:
        description:
          - With V(absent), another file of the list, which is touched before this one is removed.
          - What is removed leaves no time behind. That way RV(newest) tells of it, to later runs as well.
        type: path
      content:
        description: The text of the file.
        type: str
      secret_content:
        description: The text of a file that nobody shall see, neither in a difference nor in the output.
        type: str
      src:
        description: A file that is on the machine already and is to be copied.
        type: path
      mode:
        description:
          - The permissions as a string of octal digits.
          - Without it, what is there keeps its own; a new file gets V('0600') and a new directory V('0755').
        type: str
      owner:
        description: The name or number of the owner. Without it, what is there keeps its own.
        type: str
      group:
        description: The name or number of the group. Without it, what is there keeps its own.
        type: str
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.template
"""

EXAMPLES = r"""
- name: Write the configuration and the token together
  hearth.cluster.files:
    files:
      - path: /etc/rancher/k3s/config.yaml
        content: "{{ config | to_nice_yaml }}"
        mode: "0600"
      - path: /etc/rancher/k3s/token
        secret_content: "{{ token }}"
        mode: "0600"
  register: written

- name: Restart where something changed
  ansible.builtin.systemd_service:
    name: k3s
    state: restarted
  when: written.changed_paths | length > 0

- name: Take away what is no longer wanted
  hearth.cluster.files:
    files:
      - path: /etc/sysctl.d/90-old.conf
        state: absent
"""

RETURN = r"""
changed_paths:
  description: The paths that were changed, or would be in check mode, in the order given.
  returned: success
  type: list
  elements: str
  sample: [/etc/rancher/k3s/config.yaml]
newest:
  description:
    - When the latest of the files was written or touched, in seconds since 1970; null if none of them exists.
    - A service that was started before that moment has not read all of them.
  returned: success
  type: float
  sample: 1763830000.25
"""

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._files.disk import look, newest, perform, wanted_from
from ..module_utils._files.plan import as_result, changes

ENTRY = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["file", "directory", "absent"], "default": "file"},
    "touches": {"type": "path"},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "src": {"type": "path"},
    "mode": {"type": "str"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


def main() -> None:
    module = DiscreetModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": ENTRY,
                "mutually_exclusive": [("content", "secret_content", "src")],
                "required_if": [("state", "file", ("content", "secret_content", "src"), True)],
            }
        },
        supports_check_mode=True,
    )
    with reporting_errors(module):
        wanted = [wanted_from(entry) for entry in module.params["files"]]
        todo = changes(wanted, {one.path: look(one.path) for one in wanted})
        if not module.check_mode:
            perform(todo)
        module.exit_json(**as_result(todo, newest(wanted)))


if __name__ == "__main__":
    main()
