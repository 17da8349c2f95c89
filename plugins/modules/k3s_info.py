#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_info
short_description: Look at a machine once, and tell everything the roles decide from
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Tells what a machine is, how its kernel and its clock stand, and what k3s is on it.
  - Needs nothing on the machine but Python. Secrets never leave the machine.
  - The disk is measured by writing to a nameless file that is gone at once.
extends_documentation_fragment:
  - hearth.cluster._k3s
  - hearth.cluster._read_only
options:
  gather:
    description:
      - What to look at. V(board) is about a Raspberry Pi.
      - V(k3s) asks k3s and its API server, and takes longer.
      - V(libraries) looks at what every process has open.
    type: list
    elements: str
    choices: [host, board, k3s, libraries]
    default: [host, k3s]
  packages:
    description: Debian packages to look for; those that are not installed are in RV(host.missing_packages).
    type: list
    elements: str
    default: []
  sysctls:
    description: Kernel parameters whose values are wanted.
    type: list
    elements: str
    default: []
  kernel_modules:
    description: Kernel modules to look for; those neither loaded nor built in are in RV(host.missing_modules).
    type: list
    elements: str
    default: []
  eeprom:
    description: With V(board), whether to read the boot EEPROM of a Raspberry Pi 4 or 5, which takes a while.
    type: bool
    default: false
  measure_disk:
    description: With V(board), whether to measure how fast the disk is on a machine that is no node yet.
    type: bool
    default: false
  controller_time:
    description: The controller's time in seconds since 1970, for RV(host.time.offset).
    type: float
  token:
    description: A token of k3s to compare with the one on the machine, for RV(k3s.token_matches).
    type: str
seealso:
  - module: hearth.cluster.k3s_service
"""

EXAMPLES = r"""
- name: Look at the machine
  hearth.cluster.k3s_info:
  register: probe

- name: Compare the clock and some kernel parameters
  hearth.cluster.k3s_info:
    gather: [host]
    controller_time: "{{ now().timestamp() }}"
    sysctls: [net.ipv4.ip_forward]
  register: probe
"""

RETURN = r"""
host:
  description: The machine and its operating system; empty unless gathered.
  returned: success
  type: dict
  contains:
    hostname: {description: The host name., type: str}
    has_two_names: {description: Whether a change of the host name was cut short before its end., type: bool}
    machine_id: {description: The content of C(/etc/machine-id)., type: str}
    boot_id: {description: Changes with every boot., type: str}
    architecture: {description: As C(uname -m) prints it., type: str}
    kernel: {description: As C(uname -r) prints it., type: str}
    kernel_state:
      description: "What RV(host.reboot_reasons) follow from: C(running), C(installed) kernels, and what waits."
      type: dict
    reboot_reasons:
      description: One sentence for each thing that is installed and wants a restart to be in force.
      type: list
      elements: str
    os: {description: The operating system's C(id) C(version) C(codename) and C(name)., type: dict}
    model: {description: The board's name from the device tree; empty on other machines., type: str}
    container: {description: The kind of container the system runs in; empty on a machine of its own., type: str}
    cpus: {description: Number of processors., type: int}
    memory_mb: {description: Main memory in MiB., type: int}
    addresses: {description: The machine's global addresses., type: list, elements: str}
    kernel_command_line: {description: What the running kernel was started with., type: str}
    command_line_file: {description: Where a Raspberry Pi keeps the kernel's command line; else empty., type: str}
    memory_cgroup: {description: "V(v1) or V(v2), whichever really accounts for memory; empty if none does.", type: str}
    swap: {description: "Active swap: C(device) C(type) C(size_mb) C(mechanism).", type: list, elements: dict}
    swap_sources: {description: What would make swap at the next boot., type: list, elements: str}
    fstab: {description: The content of C(/etc/fstab)., type: str}
    rpi_swap: {description: Whether package rpi-swap decides about swap., type: bool}
    time:
      description: The clock.
      type: dict
      contains:
        offset: {description: Seconds this clock is ahead of O(controller_time); null without it., type: float}
        service: {description: The enabled service that keeps the time; empty if none., type: str}
        synchronized: {description: Whether systemd-timesyncd has reached a time server., type: bool}
        waits_at_boot: {description: Whether the boot waits for the time., type: bool}
    sysctls: {description: The values of O(sysctls); null where the kernel has no such parameter., type: dict}
    missing_modules: {description: Those of O(kernel_modules) that are not there., type: list, elements: str}
    cluster_member: {description: Whether the machine has been a node of a cluster., type: bool}
    missing_packages: {description: Those of O(packages) that are not installed., type: list, elements: str}
board:
  description: The Raspberry Pi; empty unless gathered, and on other machines.
  returned: success
  type: dict
  contains:
    model: {description: The board's name from the device tree., type: str}
    family: {description: "The models that share a chip: V(pi1) to V(pi5), or V(unknown).", type: str}
    medium:
      description: What the root file system lies on.
      type: dict
      contains:
        kind: {description: "V(sd), V(emmc), V(usb), V(nvme) or V(other).", type: str}
        device: {description: The kernel's name of the disk., type: str}
        sync_ms: {description: Milliseconds that a small write took at worst; null if not measured., type: float}
    uplink: {description: The network interface of the default route., type: str}
    root_options: {description: How the root file system is mounted., type: list, elements: str}
    watchdog:
      description: "C(present), the C(longest) and C(running) time in seconds; 0 if not known or off."
      type: dict
    journal_outdated: {description: Whether journald was started before its settings were last changed., type: bool}
    health:
      description: What the sensors say.
      type: dict
      contains:
        throttled: {description: The bits of C(vcgencmd get_throttled); null if they cannot be had., type: int}
        temperature: {description: Degrees Celsius of the processor., type: float}
        file_system_errors: {description: How many errors the root file system has recorded., type: int}
        read_only: {description: Whether the root file system is mounted read-only., type: bool}
        life_used: {description: "What an eMMC says of its life, such as V(0x01); empty for others.", type: str}
    eeprom:
      description: The C(config) of the boot EEPROM and whether it is C(outdated); empty unless asked for.
      type: dict
    ssh:
      description: >-
        The C(user) behind this connection, whether keys are there, the role's file, and whether it is C(on_trial).
      type: dict
    firewall: {description: "Whether the role's firewall is C(active), and its C(rules).", type: dict}
k3s:
  description: k3s on this machine; empty unless gathered.
  returned: success
  type: dict
  contains:
    role: {description: "V(server) or V(agent); empty if k3s is not installed.", type: str}
    installed_roles: {description: "Both, if by some accident both units are there.", type: list, elements: str}
    service: {description: The unit's state., type: dict}
    binary:
      description:
        - C(present), C(sha256) and C(modified_at) of C(/usr/local/bin/k3s), and its C(version) where none runs.
      type: dict
    running_version: {description: The version of the running process., type: str}
    room:
      description: "Where C(binary) and C(data) lie: C(path), C(device) and the bytes that are C(free) there."
      type: dict
    config: {description: "C(server) and C(cluster_init) from the configuration on disk.", type: dict}
    datastore: {description: "V(sqlite) or V(etcd), if this server has the cluster's data on its disk.", type: str}
    cluster: {description: SHA-256 of the CA of the cluster this machine belongs to., type: str}
    node_password: {description: Whether the machine has registered as a node before., type: bool}
    token_file:
      description: >-
        The token k3s is started with, C(present), C(modified_at), whether it C(matches) O(token), and C(cluster), the
        CA it belongs to.
      type: dict
    token_matches: {description: Whether O(token) is the machine's; null with nothing to compare., type: bool}
    token_changes: {description: Whether a change of the cluster's token has been begun and not ended., type: bool}
    restore:
      description: "The C(backup) of a restore that is not over, and whether its data are C(in_place); else empty."
      type: dict
    images: {description: Names of the image archives that k3s imports., type: list, elements: str}
    api: {description: "On a server, whether its API server is C(ready), and the C(nodes) of the cluster.", type: dict}
    kubeconfig_digest: {description: Changes when the credentials of the server's kubeconfig do., type: str}
libraries:
  description: Libraries that were replaced while they were in use; empty unless gathered.
  returned: success
  type: dict
  contains:
    outdated_in: {description: The names of the system's processes that use them., type: list, elements: str}
    reboot_reasons: {description: The reason for a restart that this is; else empty., type: list, elements: str}
"""

from collections.abc import Callable
from typing import Any

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._host.board import describe_board
from ..module_utils._host.k3s_state import Installation
from ..module_utils._host.libraries import describe_libraries
from ..module_utils._host.paths import Tree
from ..module_utils._host.system import describe_machine

ARGUMENTS = {
    "gather": {
        "type": "list",
        "elements": "str",
        "choices": ["host", "board", "k3s", "libraries"],
        "default": ["host", "k3s"],
    },
    "eeprom": {"type": "bool", "default": False},
    "measure_disk": {"type": "bool", "default": False},
    "packages": {"type": "list", "elements": "str", "default": []},
    "sysctls": {"type": "list", "elements": "str", "default": []},
    "kernel_modules": {"type": "list", "elements": "str", "default": []},
    "controller_time": {"type": "float"},
    "token": {"type": "str", "no_log": True},
    "data_dir": {"type": "path", "default": "/var/lib/rancher/k3s"},
    "port": {"type": "int", "default": 6443},
}


def main() -> None:
    module = DiscreetModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options, tree, run = module.params, Tree(), module.run_command
    installation = Installation(tree, run, options["data_dir"], options["port"])
    looks: dict[str, Callable[[], Any]] = {
        "host": lambda: describe_machine(
            tree,
            run,
            packages=options["packages"],
            sysctls=options["sysctls"],
            modules=options["kernel_modules"],
            controller_time=options["controller_time"],
        ),
        "board": lambda: describe_board(tree, run, eeprom=options["eeprom"], measure=options["measure_disk"]),
        "k3s": lambda: installation.describe(options["token"] or ""),
        "libraries": lambda: describe_libraries(tree),
    }
    with reporting_errors(module):
        seen = {part: look() if part in options["gather"] else {} for part, look in looks.items()}
        module.exit_json(changed=False, **seen)


if __name__ == "__main__":
    main()
