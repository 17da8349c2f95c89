#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: boot_media
short_description: Prepare a card of Raspberry Pi OS to come up as a given host
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Writes to the boot partition of a fresh card what its first boot needs to come up on the network as a host of the
    inventory, with its user, keys and address.
  - An image with cloud-init (Raspberry Pi OS trixie) gets C(user-data), C(network-config), C(meta-data) and its
    C(ds) argument on the kernel command line. One without it (Raspberry Pi OS bookworm, and the first image of trixie)
    gets C(firstrun.sh), which systemd runs once because the kernel command line says so, as after Raspberry Pi Imager.
  - The kind of image is recognised from the partition's own files. One that is not known is refused.
  - Everything is checked before anything is written.
  - A Wi-Fi password is written as the key that is derived from it.
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: full
    description: Returns what changes in each file. Passwords, their hashes and private keys are hidden.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
options:
  path:
    description:
      - The mounted boot partition of a card, the image of a whole card, or the device of a card such as V(/dev/sdb).
      - An image is written without mounting it and without being root, with the help of C(mtools). It must be unpacked.
      - A device must not be mounted, and is refused if this computer runs from it.
      - Without it the other options are checked, and nothing is written.
    type: path
  host:
    description: The host that the card shall become.
    type: dict
    required: true
    suboptions:
      hostname:
        description: The name of the host, without a domain.
        type: str
        required: true
      user:
        description: The user to log in as, who may use sudo.
        type: str
        default: pi
      ssh_keys:
        description: The public SSH keys that may log in. Passwords are accepted over SSH only where there is none.
        type: list
        elements: str
        default: []
      password_hash:
        description: The hash of the user's password. Without it the user has none.
        type: str
      passwordless_sudo:
        description: Whether the user needs no password for sudo, as Ansible expects unless it is given one.
        type: bool
        default: true
      address:
        description: A static address. Without it the host asks for one by DHCP.
        type: dict
        suboptions:
          address:
            description: The address with the length of its network, such as V(192.168.1.11/24).
            type: str
            required: true
          gateway:
            description: The router of that network.
            type: str
          nameservers:
            description: The name servers to ask.
            type: list
            elements: str
            default: []
          search:
            description: Domains to search for short names.
            type: list
            elements: str
            default: []
          wifi:
            description: Whether the address is for Wi-Fi and not for the cable.
            type: bool
            default: false
      wifi:
        description: The Wi-Fi network to join.
        type: dict
        suboptions:
          country:
            description:
              - The country whose radio rules hold, such as V(DE).
              - Wi-Fi without a country is refused, since its radio would stay off.
            type: str
          name:
            description: The name (SSID) of the network. Without it only the country is set.
            type: str
          password:
            description: The password of the network, or its key of 64 hexadecimal digits.
            type: str
          hidden:
            description: Whether the network does not tell its name.
            type: bool
            default: false
      time_zone:
        description: The time zone, such as V(Europe/Berlin).
        type: str
      keyboard:
        description: The layout of the keyboard, such as V(de).
        type: str
      host_keys:
        description:
          - Private SSH host keys in OpenSSH's format, so that a card that is written anew is known as the same host.
          - Anybody who can read the card can read them.
        type: list
        elements: str
        default: []
      instance_id:
        description:
          - The identity for which cloud-init runs its first boot.
          - By default it is made of the host's name and of all that is not secret, so that it changes with them.
        type: str
  neighbours:
    description: The other hosts of the inventory, which must have other names and addresses.
    type: list
    elements: dict
    default: []
    suboptions:
      hostname:
        description: The name of the host.
        type: str
        required: true
      address:
        description: Its static address, with or without the length of its network.
        type: str
extends_documentation_fragment:
  - hearth.cluster._boot_files
seealso:
  - module: hearth.cluster.boot_config
"""

EXAMPLES = r"""
- name: Prepare a mounted card
  hearth.cluster.boot_media:
    path: /media/bootfs
    host:
      hostname: pi1
      ssh_keys:
        - "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"
  delegate_to: localhost

- name: Prepare an image for a host with a static address, ready for k3s from its first boot
  hearth.cluster.boot_media:
    path: pi2.img
    host:
      hostname: pi2
      ssh_keys: "{{ admin_keys }}"
      address:
        address: 192.168.1.12/24
        gateway: 192.168.1.1
        nameservers: [192.168.1.1]
      time_zone: Europe/Berlin
    neighbours:
      - hostname: pi1
        address: 192.168.1.11
    command_line:
      present:
        cgroup_enable: [memory]
  delegate_to: localhost

- name: Prepare a card that joins Wi-Fi
  hearth.cluster.boot_media:
    path: /media/bootfs
    host:
      hostname: pi3
      ssh_keys: "{{ admin_keys }}"
      wifi:
        country: DE
        name: home
        password: "{{ vault_wifi_password }}"
  delegate_to: localhost
"""

RETURN = r"""
kind:
  description: How the image does its first boot; empty without O(path).
  returned: success
  type: str
  sample: cloud-init
instance_id:
  description: The identity for which cloud-init runs its first boot; empty where the image has no cloud-init.
  returned: success
  type: str
  sample: pi1-2f4c1a9be031
public_host_keys:
  description: The public halves of O(host.host_keys), for C(known_hosts).
  returned: success
  type: list
  elements: str
  sample: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f]
changed_files:
  description: The files that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [user-data, network-config, meta-data, cmdline.txt]
"""

from pathlib import Path
from zoneinfo import available_timezones

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._pi.boot_config import Request, check_request
from ..module_utils._pi.boot_media import NOTHING, MediaPlan, plan_media
from ..module_utils._pi.host_image import HostImage, host_image, refuse_duplicates, refuse_unknown_zone
from ..module_utils._pi.media import open_media
from ..module_utils._pi.options import BOOT_FILES

ADDRESS = {
    "address": {"type": "str", "required": True},
    "gateway": {"type": "str"},
    "nameservers": {"type": "list", "elements": "str", "default": []},
    "search": {"type": "list", "elements": "str", "default": []},
    "wifi": {"type": "bool", "default": False},
}

WIFI = {
    "country": {"type": "str"},
    "name": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "hidden": {"type": "bool", "default": False},
}

HOST = {
    "hostname": {"type": "str", "required": True},
    "user": {"type": "str", "default": "pi"},
    "ssh_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "password_hash": {"type": "str", "no_log": True},
    "passwordless_sudo": {"type": "bool", "default": True, "no_log": False},
    "address": {"type": "dict", "options": ADDRESS},
    "wifi": {"type": "dict", "options": WIFI},
    "time_zone": {"type": "str"},
    "keyboard": {"type": "str", "no_log": False},
    "host_keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "instance_id": {"type": "str"},
}

ARGUMENTS = {
    **BOOT_FILES,
    "path": {"type": "path"},
    "host": {"type": "dict", "required": True, "options": HOST},
    "neighbours": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"hostname": {"type": "str", "required": True}, "address": {"type": "str"}},
    },
}


def main() -> None:
    module = DiscreetModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    with reporting_errors(module):
        request = Request.from_params(module.params["command_line"], module.params["config"])
        host = host_image(module.params["host"])
        refuse_duplicates(host, module.params["neighbours"])
        refuse_unknown_zone(host, available_timezones())
        check_request(request)
        todo = write_card(module, host, request) if module.params["path"] else NOTHING
        module.exit_json(
            changed=bool(todo.changes),
            changed_files=[file.name for file in todo.changes],
            kind=todo.kind.value if todo.kind else "",
            instance_id=todo.instance_id,
            public_host_keys=[key.public.strip() for key in host.host_keys],
            diff=[file.diff(module.params["path"]) for file in todo.changes],
        )


def write_card(module: DiscreetModule, host: HostImage, request: Request) -> MediaPlan:
    path = Path(module.params["path"])
    media = open_media(path, module.run_command)
    if not module.check_mode:
        media.recover()
    todo = plan_media(media.names(), media.read, host, request)
    if not module.check_mode:
        for file in todo.changes:
            media.write(file.name, file.after)
    if path.is_file() and path.stat().st_mode & 0o004:
        module.warn(f"Everybody can read {path}, which holds the host's secrets; take that permission away.")
    return todo


if __name__ == "__main__":
    main()
