# SPDX-License-Identifier: GPL-3.0-or-later
"""A root file system and what playbook ``flash`` wrote, and nothing else, come up as the host that was meant.

The root file system is the lab's, set as Raspberry Pi OS sets it: trixie with Debian's cloud-init and netplan, bookworm
with its NetworkManager and systemd; those do the rest. What the firmware does on a Raspberry Pi, handing over the
kernel's arguments, nspawn does here.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need, unavailable
from tests.lab import builds, disk, images, locks, network, playbook, releases, requirements, rootfs
from tests.lab.cluster import eventually, http_status
from tests.lab.errors import LabError
from tests.lab.machine import Machine
from tests.lab.paths import REPOSITORY, instance_directory, runtime_directory
from tests.lab.progress import Progress

pytestmark = pytest.mark.lab
INSTANCE = "firstboot"
HOST_SIDE = "ve-firstboot"
ANSWER_LIMIT = 90.0
FORMER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
HIDDEN_IN_OUTPUT = "$6$firstboot$"


@dataclass(frozen=True)
class Release:
    """An image of Raspberry Pi OS, as far as its first boot goes."""

    recipe: rootfs.Recipe
    packages: tuple[str, ...]
    boot: dict[str, str]  # the files of the boot partition
    system: dict[str, disk.File]
    prepare: str  # what else is done with the system, in a shell of its own


COMMAND_LINE = "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait"
# How Raspberry Pi OS sets cloud-init: seed on the boot partition, host keys left to others.
CLOUD_CONFIG = """\
datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    seedfrom: file:///boot/firmware
ssh_deletekeys: false
ssh_genkeytypes: []
"""
TRIXIE = Release(
    rootfs.MACHINE,
    ("cloud-init", "console-setup", "keyboard-configuration", "netplan.io", "tzdata"),
    {
        "cmdline.txt": f"{COMMAND_LINE} resize\n",
        "config.txt": "dtparam=audio=on\n\n[all]\n",
        "meta-data": "dsmode: local\ninstance_id: rpios-image\n",
        "network-config": "# nothing yet\n",
        "user-data": "#cloud-config\n",
    },
    {"etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg": disk.File(CLOUD_CONFIG)},
    "systemctl --quiet enable systemd-networkd.service",
)

# What makes host keys at the first start, once.
NEW_HOST_KEYS = """\
[Unit]
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'rm -f /etc/ssh/ssh_host_* && ssh-keygen -A'
ExecStartPost=systemctl disable regenerate_ssh_host_keys.service
[Install]
WantedBy=multi-user.target
"""
# What ends the question for a user, whom SSH turns away until then.
CANCEL_RENAME = '#!/bin/sh -e\nid "$1"\nrm -f /etc/ssh/sshd_config.d/rename_user.conf\n'
BOOKWORM = Release(
    rootfs.OLDER_MACHINE,
    ("console-setup", "keyboard-configuration", "network-manager", "tzdata"),
    {
        "cmdline.txt": f"{COMMAND_LINE} quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n",
        "config.txt": "dtparam=audio=on\nauto_initramfs=1\n",
        "initramfs8": "",
    },
    {
        "etc/systemd/system/regenerate_ssh_host_keys.service": disk.File(NEW_HOST_KEYS),
        "etc/ssh/sshd_config.d/rename_user.conf": disk.File("DenyUsers *\n"),
        "etc/sudoers.d/010_pi-nopasswd": disk.File("pi ALL=(ALL) NOPASSWD: ALL\n", 0o440),
        "usr/bin/cancel-rename": disk.File(CANCEL_RENAME, 0o755),
    },
    "useradd --create-home --uid 1000 --shell /bin/bash --groups adm,video pi; "
    "systemctl --quiet enable NetworkManager.service regenerate_ssh_host_keys.service",
)

# One fact a line, in this order.
LOOK = (
    "hostname; id -un; id -nG; sudo -n id -un; cat /etc/timezone; . /etc/default/keyboard; echo $XKBLAYOUT; "
    "sudo cut -d: -f1,2 /etc/shadow | grep ^ann:"
)
INSTANCES = "cloud-init status --wait >/dev/null; ls /var/lib/cloud/instances | wc -l"

# At each boot of the machine: its network card into the bridge, and its kernel's arguments from its boot partition.
SWITCH_ON = """
link=$1 bridge=$2 line=$3; shift 3
ip link delete "$link" 2>/dev/null  # of the boot before, if the kernel has not come round to it
(for _try in $(seq 200); do ip link set "$link" master "$bridge" up 2>/dev/null && break; sleep 0.1; done) &
exec "$@" $(tr ' ' '\\n' < "$line" | grep -E '^(ds|systemd\\.[a-z_]+)=')
"""


class Card(Machine):
    """A machine whose network card is eth0, and which is told the kernel arguments of its boot partition."""

    @property
    def boot(self) -> Path:
        return self.disk / "boot/firmware"

    def _boot_command(self) -> list[str]:
        others = ("--network-bridge", "--hostname")
        command = [word for word in super()._boot_command() if not word.startswith(others)]
        told = [HOST_SIDE, self.network.bridge, str(self.boot / "cmdline.txt")]
        own = ["--private-network", f"--network-veth-extra={HOST_SIDE}:eth0"]
        return ["sh", "-c", SWITCH_ON, "sh", *told, *command, *own]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def blank_system(release: Release, progress: Progress) -> Path:
    """The lab's root file system with the packages that make its first boot; kept in the cache beside it."""
    plain = rootfs.template(progress, release.recipe)
    ready = plain.with_name(f"{plain.name}-first-boot")
    with locks.exclusive(ready.with_suffix(".lock")):
        if not ready.exists():
            fresh = ready.with_suffix(".unfinished")
            run("rm", "-rf", str(fresh))
            run("cp", "-a", str(plain), str(fresh))
            (fresh / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
            install = f"apt-get -qq update; apt-get -qq -y --no-install-recommends install {' '.join(release.packages)}"
            with progress.step("lab", f"adding {release.packages[0]} and more to {plain.name}"):
                run("nice", "chroot", str(fresh), "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", install)
            fresh.rename(ready)
    return ready


def flash(release: Release, card: Card) -> None:
    """A fresh card, as from the image."""
    card.disk.parent.mkdir(parents=True)
    run("cp", "-a", str(blank_system(release, Progress())), str(card.disk))
    for stale in card.disk.glob("etc/ssh/ssh_host_*"):
        stale.unlink()
    own = disk.own_files("pi9", card.network, "", "")
    of_the_lab = {path: file for path, file in own.items() if "hearth-lab" in path}
    names = {path: own[path] for path in ("etc/hostname", "etc/hosts")}
    partition = {f"boot/firmware/{name}": disk.File(text) for name, text in release.boot.items()}
    for path, file in {**of_the_lab, **names, **partition, **release.system}.items():
        place = card.disk / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text)
        place.chmod(file.mode)
    (card.disk / "etc/machine-id").write_text("")
    services = "systemctl --quiet disable ssh.service; systemctl --quiet enable hearth-lab.service"
    run("chroot", str(card.disk), "sh", "-ec", f"{services}; {release.prepare}")


def write_seed(card: Card, host: dict[str, Any], desk: Path) -> bool:
    """Run the playbook flash as an operator would; whether it changed anything."""
    inventory = desk / "hosts.json"
    variables = {f"card_{name}": value for name, value in host.items()}
    inventory.write_text(json.dumps({"k3s_cluster": {"hosts": {"pi2": variables}}}))
    run = playbook.run(
        "hearth.cluster.flash",
        *("-e", "host=pi2", "-e", f"card={card.boot}", "-e", f"card_known_hosts={desk / 'known_hosts'}"),
        inventory=inventory,
    )
    assert run.status == 0, run.output[-6000:]
    assert HIDDEN_IN_OUTPUT not in run.output
    for file in card.boot.iterdir():
        file.chmod(0o755)  # as all files of a FAT file system
    return run.changed > 0


def host_of(card: Card, desk: Path) -> dict[str, Any]:
    """What is asked of the card, and the operator's desk with the keys for it."""
    for name in ("operator", "host"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(desk / name))
    (desk / "known_hosts").write_text(f"{card.address} {FORMER_KEY}\n")
    return {
        "hostname": "pi2",
        "user": "ann",
        "ssh_keys": [(desk / "operator.pub").read_text()],
        "password_hash": run("openssl", "passwd", "-6", "-salt", "firstboot", "correct horse").strip(),
        "address": {"address": f"{card.address}/24", "gateway": str(card.network.gateway)},
        "time_zone": "Asia/Tokyo",
        "keyboard": "de",
        "host_keys": [(desk / "host").read_text()],
    }


def connection(card: Card, desk: Path) -> dict[str, Any]:
    """How Ansible reaches it: with the key, the user and the pinned host key that the card was given."""
    return {
        "ansible_host": card.address,
        "ansible_user": "ann",
        "ansible_ssh_private_key_file": str(desk / "operator"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={desk / 'known_hosts'} -o ControlPath=none",
        "ansible_python_interpreter": "/usr/bin/python3",
        "raspberry_pi_unattended_upgrades": False,  # no mirror of Debian can be reached
    }


def play(name: str, variables: dict[str, Any], desk: Path) -> playbook.Run:
    inventory = desk / "site.json"
    inventory.write_text(json.dumps({"k3s_cluster": {"children": {"k3s_server": {"hosts": {"pi2": variables}}}}}))
    run = playbook.run(name, inventory=inventory)
    assert run.status == 0, run.output[-6000:]
    return run


def cluster_of_one(desk: Path) -> dict[str, Any]:
    """What ``site`` shall put on the machine, brought from this computer's disk."""
    release = releases.release(builds.NEWEST_K3S)
    return {
        "k3s_version": builds.NEWEST_K3S,
        "k3s_release_url": releases.serve_releases(INSTANCE),
        "k3s_release_cache": str(desk / "cache"),
        "k3s_images": [str(release / releases.IMAGES), str(images.archive("nginx", Progress()))],
        "k3s_config": {"kubelet-arg": ["fail-cgroupv1=false"]},
        "k3s_kubeconfig": str(desk / "kubeconfig"),
        "hearth_packages": [
            {
                "name": "blog",
                "source": {"directory": str(REPOSITORY / "inventory/packages/blog")},
                "namespace": "blog",
                "config_maps": [{"name": "pages", "files": ["pages/*"]}, {"name": "nginx", "files": ["nginx.conf"]}],
                "images": {"nginx": "hearth.local/nginx:trixie"},
            }
        ],
    }


@pytest.fixture
def insert() -> Iterator[Callable[[Release], Card]]:
    """Puts a fresh card of a release into a machine, which stays off."""
    need(requirements.MACHINES)
    net = network.Network(INSTANCE)
    machine = Card("pi2", net, instance_directory(INSTANCE), runtime_directory(INSTANCE))
    clear = (str(instance_directory(INSTANCE)), str(runtime_directory(INSTANCE)))
    machine.power_cut()
    run("rm", "-rf", *clear)

    def insert(release: Release) -> Card:
        try:
            flash(release, machine)
            network.bring_up(net)
        except LabError as error:
            unavailable(str(error))
        return machine

    yield insert
    releases.stop_serving(INSTANCE)
    machine.power_cut()
    network.take_down(net)
    run("rm", "-rf", *clear)


def ask(card: Card, desk: Path, command: str) -> list[str]:
    """What the host says, to an operator who trusts the pinned host key only."""
    options = ("StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=2", "ConnectionAttempts=1")
    trust = ("-i", str(desk / "operator"), f"-oUserKnownHostsFile={desk / 'known_hosts'}")
    line = ["ssh", *trust, *(f"-o{option}" for option in options), f"ann@{card.address}", command]
    deadline = time.monotonic() + ANSWER_LIMIT
    while True:
        said = subprocess.run(line, capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return said.stdout.splitlines()
        assert time.monotonic() < deadline, f"{said.stdout}{said.stderr}{card.last_words()}"
        time.sleep(1)


def assert_it_is_the_host(card: Card, desk: Path, host: dict[str, Any]) -> None:
    name, user, groups, root, zone, layout, shadow = ask(card, desk, LOOK)
    assert (name, user, root, zone, layout) == ("pi2", "ann", "root", host["time_zone"], "de")
    assert {"adm", "sudo", "video"} <= set(groups.split()), "the groups of the image's own user are kept"
    assert shadow == f"ann:{host['password_hash']}"


def test_a_blank_card_comes_up_as_the_host_and_stays_it(insert: Callable[[Release], Card], tmp_path: Path) -> None:
    card = insert(TRIXIE)
    host = host_of(card, tmp_path)
    assert write_seed(card, host, tmp_path)
    assert not write_seed(card, host, tmp_path)
    for kind, file in (("cloud-config", "user-data"), ("network-config", "network-config")):
        run("chroot", str(card.disk), "cloud-init", "schema", "-t", kind, "-c", f"/boot/firmware/{file}")

    card.start()
    assert ask(card, tmp_path, INSTANCES) == ["1"]
    assert_it_is_the_host(card, tmp_path, host)

    card.power_cut()
    card.start()
    assert ask(card, tmp_path, INSTANCES) == ["1"], "the second boot is no first boot"

    card.power_cut()
    host["time_zone"] = "Europe/Berlin"
    assert write_seed(card, host, tmp_path)
    card.start()
    assert ask(card, tmp_path, INSTANCES) == ["2"], "a changed seed is another instance"
    assert_it_is_the_host(card, tmp_path, host)


def test_site_runs_on_a_card_that_flash_wrote(insert: Callable[[Release], Card], tmp_path: Path) -> None:
    need(requirements.GO)
    card = insert(TRIXIE)
    write_seed(card, host_of(card, tmp_path), tmp_path)
    card.start()
    assert ask(card, tmp_path, INSTANCES) == ["1"]
    (started,) = ask(card, tmp_path, "cat /proc/sys/kernel/random/boot_id")

    variables = {**connection(card, tmp_path), **cluster_of_one(tmp_path)}
    assert play("hearth.cluster.site", variables, tmp_path).changed > 0
    assert eventually(lambda: http_status(card.address) == 200), "the blog does not answer"
    nodes = "sudo k3s kubectl get nodes --no-headers"
    assert [line.split()[:2] for line in ask(card, tmp_path, nodes)] == [["pi2", "Ready"]]
    assert ask(card, tmp_path, "cat /proc/sys/kernel/random/boot_id") == [started], "the card had all from the start"
    again = play("hearth.cluster.site", variables, tmp_path)
    assert again.changes == (), again.output[-6000:]


def test_a_card_without_cloud_init_comes_up_as_the_host(insert: Callable[[Release], Card], tmp_path: Path) -> None:
    card = insert(BOOKWORM)
    host = host_of(card, tmp_path)
    assert write_seed(card, host, tmp_path)
    assert not write_seed(card, host, tmp_path)
    line = (card.boot / "cmdline.txt").read_text()

    card.start()
    assert eventually((card.disk / "home/ann").exists), card.last_words()
    card.power_cut()  # in the middle of its first boot
    card.start()
    assert_it_is_the_host(card, tmp_path, host)
    assert "firstrun.sh" not in {file.name for file in card.boot.iterdir()}
    before, _words, after = line.partition(" systemd.run=/boot/firmware/firstrun.sh ")
    assert (card.boot / "cmdline.txt").read_text() == before + after.partition("kernel-command-line.target")[2]

    variables = connection(card, tmp_path)
    assert play("hearth.cluster.provision", variables, tmp_path).changed > 0
    again = play("hearth.cluster.provision", variables, tmp_path)
    assert again.changes == (), again.output[-6000:]
