# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's disk: the common root file system made this machine's own, as a freshly flashed card.

``own_files`` is the whole difference between two machines, as a value; ``create`` puts it on a copy of the template.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.lab.network import Network

USER = "pi"
# The groups of Raspberry Pi OS' first user, so far as plain Debian has them.
USER_GROUPS = "adm,dialout,cdrom,sudo,audio,video,plugdev,games,users"
MODEL = "Raspberry Pi lab machine (systemd-nspawn)"

# What kubelet insists on. These are the host's own settings, so a machine only shows them: see README.md.
SHOWN_SYSCTLS = {
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


@dataclass(frozen=True)
class File:
    """The content and mode of one file."""

    text: str
    mode: int = 0o644


def own_files(node: str, network: Network, machine_id: str, public_key: str) -> dict[str, File]:
    """Every file that a new machine has beyond the template, by path."""
    partition = machine_id[:8]
    return {
        "etc/hostname": File(f"{node}\n"),
        "etc/hosts": File(f"127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{node}\n"),
        "etc/default/locale": File("LANG=C.UTF-8\n"),
        "etc/machine-id": File(f"{machine_id}\n", 0o444),
        "etc/fstab": File(
            "proc            /proc           proc    defaults          0       0\n"
            f"PARTUUID={partition}-01  /boot/firmware  vfat    defaults          0       2\n"
            f"PARTUUID={partition}-02  /               ext4    defaults,noatime  0       1\n"
        ),
        # Sorts before systemd's own 80-container-host0.network, which asks for DHCP.
        "etc/systemd/network/10-lab.network": File(
            f"[Match]\nName=host0\n\n[Network]\nAddress={network.address(node)}/{network.subnet.prefixlen}\n"
            f"Gateway={network.gateway}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        ),
        "etc/sudoers.d/010_pi-nopasswd": File(f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440),
        "usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf": File("[Journal]\nStorage=volatile\n"),
        "boot/firmware/cmdline.txt": File(command_line(partition)),
        "boot/firmware/config.txt": File(CONFIG_TXT),
        "usr/local/lib/hearth-lab/prepare": File(prepare_script(), 0o755),
        "etc/systemd/system/hearth-lab.service": File(PREPARE_UNIT),
        f"home/{USER}/.ssh/authorized_keys": File(public_key, 0o600),
    }


def command_line(partition: str) -> str:
    """The one line of a current Raspberry Pi OS image after its first boot."""
    return (
        f"console=serial0,115200 console=tty1 root=PARTUUID={partition}-02 rootfstype=ext4 fsck.repair=yes rootwait "
        "cfg80211.ieee80211_regdom=GB\n"
    )


CONFIG_TXT = """\
dtparam=audio=on
camera_auto_detect=1
display_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
max_framebuffers=2
disable_fw_kms_setup=1
arm_64bit=1
disable_overscan=1
arm_boost=1

[cm4]
otg_mode=1

[cm5]
dtoverlay=dwc2,dr_mode=host

[all]
"""

PREPARE_UNIT = """\
[Unit]
Description=Make this container look like a machine (hearth lab)
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/hearth-lab/prepare

[Install]
WantedBy=sysinit.target
"""


def prepare_script() -> str:
    shown = "\n".join(f"show {path} {value}" for path, value in SHOWN_SYSCTLS.items())
    return f"""\
#!/bin/sh
# Runs early at every boot: what kubelet needs and a container is not given, and what only real hardware has.
state=/run/hearth-lab
mkdir -p $state/sysctl

# Pods and their volumes: mounts made by kubelet must be seen by containers.
mount --make-rshared /

# A version 1 hierarchy is given read-only, though its root here is this machine's own group.
for hierarchy in /sys/fs/cgroup/*/; do
  mountpoint -q "$hierarchy" && mount -o remount,bind,rw "$hierarchy"
done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then mount -o remount,bind,rw /sys/fs/cgroup; fi

# Settings that belong to the host's kernel: a file with the wanted value stands before each.
show() {{
  file=$state/sysctl/$(echo "$1" | tr / _)
  echo "$2" > "$file"
  mount --bind "$file" "/proc/sys/$1"
}}
{shown}

# The kernel command line is what the boot partition says, as on a Raspberry Pi: an edit shows after a reboot.
cp /boot/firmware/cmdline.txt $state/cmdline
mount --bind $state/cmdline /proc/cmdline

# /proc/device-tree cannot be made; what it links to on a Raspberry Pi can: /sys is a small memory file system here.
mount -o remount,bind,rw /sys
mkdir -p /sys/firmware/devicetree/base
printf '%s\\0' '{MODEL}' > /sys/firmware/devicetree/base/model
mount -o remount,bind,ro /sys
exit 0
"""


def create(target: Path, template: Path, files: dict[str, File]) -> None:
    """A whole disk or none: it gets its name when it is complete."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    remove(unfinished)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", str(template), str(unfinished)], check=True)
    _add_user(unfinished)
    for path, file in files.items():
        _write(unfinished / path, file)
    shutil.chown(unfinished / f"home/{USER}/.ssh/authorized_keys", 1000, 1000)
    (unfinished / f"home/{USER}/.ssh").chmod(0o700)
    shutil.chown(unfinished / f"home/{USER}/.ssh", 1000, 1000)
    _new_host_keys(unfinished)
    units = ["hearth-lab.service", "systemd-networkd.service"]
    subprocess.run(["systemctl", f"--root={unfinished}", "--quiet", "enable", *units], check=True)
    # The root is the host's to mount: with the fstab of a Raspberry Pi this unit could only fail.
    subprocess.run(["systemctl", f"--root={unfinished}", "--quiet", "mask", "systemd-remount-fs.service"], check=True)
    unfinished.rename(target)


def new_machine_id() -> str:
    return uuid.uuid4().hex


def write_resolv_conf(target: Path, name_servers: list[str]) -> None:
    path = target / "etc/resolv.conf"
    path.unlink(missing_ok=True)
    path.write_text("".join(f"nameserver {server}\n" for server in name_servers))


def host_public_keys(target: Path) -> list[str]:
    """The machine's SSH host keys, ``type base64`` each."""
    return [" ".join(path.read_text().split()[:2]) for path in sorted((target / "etc/ssh").glob("ssh_host_*_key.pub"))]


def remove(target: Path) -> None:
    if target.exists():
        # rm copes with what rmtree does not: immutable directories aside, it never follows a link and is quick.
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", str(target)], check=True)


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(file.text)
    path.chmod(file.mode)


def _add_user(root: Path) -> None:
    # No password: the way in is the lab's key, as on a card written with a public key.
    subprocess.run(
        [
            "useradd",
            "--root",
            str(root),
            "--create-home",
            "--uid",
            "1000",
            "--shell",
            "/bin/bash",
            "--groups",
            USER_GROUPS,
            USER,
        ],
        check=True,
    )


def _new_host_keys(root: Path) -> None:
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    subprocess.run(["ssh-keygen", "-A", "-f", str(root)], check=True, stdout=subprocess.DEVNULL)
