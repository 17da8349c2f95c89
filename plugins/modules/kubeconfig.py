#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Keep a cluster's kubeconfig in a file of its own, or merge it into another one
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Takes the kubeconfig a k3s server wrote, whose entries are all called C(default), and writes it with the cluster's
    name and an address that can be reached from elsewhere.
  - With O(merge=true) the entries are put by name into a file that holds other clusters too. Nothing else in that file
    changes, though comments are lost, and the former file is kept beside it.
  - Files are replaced in one step and readable by their owner only. Credentials are in no difference and no output.
  - Runs where the file shall be, usually on the controller.
requirements:
  - PyYAML
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: full
    description: Returns details on what has changed. Credentials are left out.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
options:
  source:
    description: The text of the server's C(/etc/rancher/k3s/k3s.yaml).
    type: str
    required: true
  name:
    description: The name of the cluster, the user and the context.
    type: str
    required: true
  server:
    description: The address of the cluster's API, such as V(https://192.168.1.11:6443).
    type: str
    required: true
  path:
    description: The file to write. The directory is made with mode 0700 if it does not exist.
    type: path
    required: true
  merge:
    description:
      - Whether to keep what else the file holds.
      - Without it, a file that has clusters, users or contexts of other names is refused.
    type: bool
    default: false
  use_context:
    description: Whether a merge also makes the cluster's context the current one, as it does where there is none.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the kubeconfig of a server
  ansible.builtin.slurp:
    path: /etc/rancher/k3s/k3s.yaml
  register: kubeconfig
  no_log: true

- name: Keep it in a file of its own on the controller
  hearth.cluster.kubeconfig:
    source: "{{ kubeconfig.content | b64decode }}"
    name: home
    server: https://192.168.1.11:6443
    path: ~/.kube/home.yaml
  delegate_to: localhost

- name: Put it beside the other clusters
  hearth.cluster.kubeconfig:
    source: "{{ kubeconfig.content | b64decode }}"
    name: home
    server: https://192.168.1.11:6443
    path: ~/.kube/config
    merge: true
  delegate_to: localhost
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
backup:
  description: The copy of the former file; empty if none was made.
  returned: success
  type: str
"""

from pathlib import Path
from typing import Any

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._files.disk import look, perform
from ..module_utils._files.plan import Change, State, Wanted, changes
from ..module_utils._k3s.kubeconfig import merged, named, replaced, without_secrets
from ..module_utils._kube.yaml import read_documents, write_yaml

ARGUMENTS = {
    "source": {"type": "str", "required": True, "no_log": True},
    "name": {"type": "str", "required": True},
    "server": {"type": "str", "required": True},
    "path": {"type": "path", "required": True},
    "merge": {"type": "bool", "default": False},
    "use_context": {"type": "bool", "default": False},
}


def main() -> None:
    module = DiscreetModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with reporting_errors(module):
        module.exit_json(**write(module.params, check_mode=module.check_mode))


def write(options: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    path = Path(options["path"])
    live = look(str(path))
    new = named(_document(options["source"], "the kubeconfig of k3s"), options["name"], options["server"])
    before = _document(live.content.decode(), str(path))
    after = (
        merged(before, new, use_context=options["use_context"])
        if options["merge"]
        else replaced(before, new, str(path))
    )
    # Compared as data, so that another program's way of writing the same YAML is no difference.
    content = live.content if after == before else write_yaml(after).encode()
    todo = _changes(path, content)
    backup = Path(f"{path}.backup") if todo and options["merge"] and live.state is State.FILE else None
    if todo and not check_mode:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        perform([*(_changes(backup, live.content) if backup else []), *todo])
    return {
        "changed": bool(todo),
        "path": str(path),
        "backup": str(backup or ""),
        "diff": {
            "before_header": str(path),
            "after_header": str(path),
            "before": write_yaml(without_secrets(before)) if before else "",
            "after": write_yaml(without_secrets(after)),
        },
    }


def _document(text: str, origin: str) -> dict[str, Any]:
    documents = list(read_documents(text, origin))
    return documents[0].content if documents else {}


def _changes(path: Path, content: bytes) -> list[Change]:
    wanted = Wanted(str(path), State.FILE, content, secret=True, mode=0o600)
    return changes([wanted], {str(path): look(str(path))})


if __name__ == "__main__":
    main()
