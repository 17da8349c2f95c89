#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: card_image
short_description: Write the image of a whole card
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Writes an image of Raspberry Pi OS to a card, or to a file that M(hearth.cluster.boot_media) then makes a host of.
  - The image is read from beginning to end before anything is written, so that one that is damaged or cut off changes
    nothing. What was written is read back from the card.
  - The partition table is written last. A card whose writing was cut off has none, and cannot be taken for a whole one.
attributes:
  check_mode:
    support: full
    description: Can run in C(check_mode) and return changed status prediction without modifying the target.
  diff_mode:
    support: none
    description: Returns details on what has changed.
  idempotent:
    support: full
    description:
      - A card that holds the image is not written again. Its boot partition may have changed since, as by
        M(hearth.cluster.boot_media). A card that has started a machine has changed elsewhere too.
options:
  image:
    description: The image, as C(.img) or C(.img.xz).
    type: path
    required: true
  sha256:
    description: The SHA-256 of that file, as it is published beside the download.
    type: str
  target:
    description:
      - The device of a card, such as V(/dev/sdb), or a file to make.
      - A device that is mounted, that this computer runs from, or that is a partition is refused.
    type: path
    required: true
  confirmed:
    description:
      - The device once more. All that is on it is lost, so it must be the same as O(target).
      - Not needed in check mode, nor for a file.
    type: path
  progress_file:
    description: A file to which lines of progress are added. The action plugin gives one and shows them.
    type: path
seealso:
  - module: hearth.cluster.boot_media
"""

EXAMPLES = r"""
- name: Write a card
  hearth.cluster.card_image:
    image: ~/Downloads/raspios-trixie-arm64-lite.img.xz
    sha256: "{{ sha256_of_the_download }}"
    target: /dev/sdb
    confirmed: /dev/sdb
  delegate_to: localhost
  become: true

- name: Make a file that becomes a host, to be written by another program
  hearth.cluster.card_image:
    image: raspios-trixie-arm64-lite.img.xz
    target: pi1.img
  delegate_to: localhost
"""

RETURN = r"""
target:
  description: What is written, with model and size of a device, as a person knows it.
  returned: success
  type: str
  sample: /dev/sdb (Generic MassStorageClass, 31.9 GB)
differs:
  description: Whether the card held something else than the image.
  returned: success
  type: bool
  sample: true
size:
  description: The size of the image's content in bytes.
  returned: success
  type: int
  sample: 2847932416
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._errors import InputError
from ..module_utils._faces import reporting_errors
from ..module_utils._pi.block_device import describe, is_device, refuse, refuse_too_small
from ..module_utils._pi.card_image import Report, examine, is_on, write

ARGUMENTS = {
    "image": {"type": "path", "required": True},
    "sha256": {"type": "str"},
    "target": {"type": "path", "required": True},
    "confirmed": {"type": "path"},
    "progress_file": {"type": "path"},
}


def reporter(path: str | None) -> Report:
    def report(line: str) -> None:
        if path is not None:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    return report


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options, target = module.params, Path(module.params["target"])
    report = reporter(options["progress_file"])
    with reporting_errors(module):
        device = describe(target) if is_device(target) else None
        if device:
            refuse(device)
        elif target.parts[:2] == ("/", "dev"):
            raise InputError(f"There is no device {target}; is the card in its reader?", path=str(target))
        label = device.label if device else str(target)
        image = examine(Path(options["image"]), options["sha256"] or "", report)
        if device:
            refuse_too_small(device, image.size)
        changed = not is_on(image, target)
        if changed and not module.check_mode:
            if device and options["confirmed"] != options["target"]:
                raise InputError(f"All that is on {label} would be lost; confirm by naming {target} once more.")
            write(image, target, report)
        module.exit_json(changed=changed, differs=changed, target=label, size=image.size)


if __name__ == "__main__":
    main()
