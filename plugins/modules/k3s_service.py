#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_service
short_description: Start k3s and watch until the node is back in the cluster
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Starts or restarts the unit of k3s without blocking, and watches until the node is Ready and, where asked for, a
    voting member of etcd.
  - Ends early on causes that do not heal, such as a wrong token, and says what the cause is and what to do about it.
extends_documentation_fragment:
  - hearth.cluster._k3s
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: partial
    description: When run twice in a row with the same arguments, the second run does not change anything.
    details:
      - With O(state=restarted) every run restarts k3s.
options:
  role:
    description: Which part k3s plays on this machine, and so whether C(k3s.service) or C(k3s-agent.service) is meant.
    type: str
    choices: [server, agent]
    required: true
  state:
    description: Whether the unit must run, must be restarted, or is only looked at.
    type: str
    choices: [started, restarted, watched]
    default: started
  node_name:
    description: The name of the machine's Node object.
    type: str
    required: true
  voter:
    description: Whether the server must also be a voting member of etcd.
    type: bool
    default: false
  timeout:
    description: How many seconds to watch at most.
    type: int
    default: 300
  required:
    description: Whether a node that does not become ready is an error. If not, RV(ready) says V(false).
    type: bool
    default: true
  since:
    description: When watching began, in seconds since 1970, if this run goes on with what an earlier one began.
    type: float
  patience:
    description:
      - How many seconds this run watches, if that is less than O(timeout). What is not over by then is RV(pending).
      - The action plugin of the same name sets it, and shows between the runs what the node still lacks.
    type: int
seealso:
  - module: hearth.cluster.k3s_info
"""

EXAMPLES = r"""
- name: Start the agent
  hearth.cluster.k3s_service:
    role: agent
    node_name: pi4

- name: Restart a server and go on only when etcd counts on it again
  hearth.cluster.k3s_service:
    role: server
    state: restarted
    node_name: pi2
    voter: true
    timeout: 600
"""

RETURN = r"""
ready:
  description: Whether the node is Ready, and a voter where that was asked for. Always V(false) in check mode.
  returned: success
  type: bool
pending:
  description: Whether O(patience) ended before anything was decided.
  returned: success
  type: bool
since:
  description: When watching began, in seconds since 1970.
  returned: success
  type: float
waited:
  description: The seconds spent on watching.
  returned: success
  type: float
lacking:
  description: What the node still lacks; empty when it is ready.
  returned: success
  type: str
done:
  description: What was done with the unit.
  returned: success
  type: list
  elements: str
  sample: [enable, start]
k3s:
  description: What k3s is on this machine now, in the form of RV(hearth.cluster.k3s_info#module:k3s).
  returned: unless RV(pending)
  type: dict
reason:
  description: A short name of the cause, V(unknown) where none is known.
  returned: failure
  type: str
  sample: token
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import HostError
from ..module_utils._faces import reporting_errors
from ..module_utils._host.k3s_state import Installation
from ..module_utils._host.k3s_unit import Service, Watched
from ..module_utils._host.paths import Tree
from ..module_utils._k3s.readiness import Goal

ARGUMENTS = {
    "role": {"type": "str", "choices": ["server", "agent"], "required": True},
    "state": {"type": "str", "choices": ["started", "restarted", "watched"], "default": "started"},
    "node_name": {"type": "str", "required": True},
    "voter": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
    "required": {"type": "bool", "default": True},
    "since": {"type": "float"},
    "patience": {"type": "int"},
    "data_dir": {"type": "path", "default": "/var/lib/rancher/k3s"},
    "port": {"type": "int", "default": 6443},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = module.params
    installation = Installation(Tree(), module.run_command, options["data_dir"], options["port"])
    service = Service(module.run_command, installation, options["role"])
    with reporting_errors(module):
        unit = service.state()
        if not unit.loaded and not module.check_mode:
            raise HostError(f"there is no unit {service.name} on this machine; role k3s installs it")
        todo = []
        if options["state"] != "watched":
            todo = service.bring_up(unit, restart=options["state"] == "restarted")
        since = options["since"] or time.time()
        watched = Watched(False, "nothing is started in check mode", 0.0)
        if not module.check_mode:
            watched = start_and_watch(service, todo, options, since)
        if watched.problem is not None and options["required"] and not watched.pending:
            raise watched.problem
        module.exit_json(
            changed=bool(todo),
            done=todo,
            ready=watched.ready,
            pending=watched.pending,
            since=since,
            waited=round(watched.seconds, 1),
            lacking=watched.lacking,
            **({} if watched.pending else {"k3s": installation.describe()}),
        )


def start_and_watch(service: Service, todo: list[str], options: dict[str, Any], since: float) -> Watched:
    if todo:
        service.perform(todo)
    end = since + options["timeout"]
    pause = time.time() + options["patience"] if options["patience"] else end
    return service.watch(Goal(options["node_name"], options["voter"]), since=since, deadline=end, pause=pause)


if __name__ == "__main__":
    main()
