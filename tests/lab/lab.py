# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab instance: its machines, its network and its keys, as one thing that comes up and goes away whole.

lab = Lab("hearth")
lab.up(["pi1", "pi2"])
lab.machine("pi1").ssh("hostname")
lab.down()
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import cgroups, disk, locks, network, releases, requirements, rootfs
from tests.lab.errors import LabError
from tests.lab.machine import Machine
from tests.lab.paths import RUNTIME_ROOT, instance_directory, runtime_directory
from tests.lab.progress import Progress

DEFAULT_NODES = ("pi1", "pi2", "pi3")


@dataclass(frozen=True)
class MachineStatus:
    """What ``status`` tells of one machine."""

    node: str
    address: str
    state: str  # on, off
    ssh: bool
    memory_mib: int | None


def ssh_config(addresses: Mapping[str, str], home: Path) -> str:
    """For each machine under its name and its address: the user, the key, and only the host keys that its disk has."""
    hosts = [f"Host {name}\n  HostName {address}\n" for name, address in addresses.items()]
    names = " ".join([*addresses, *addresses.values()])
    return "".join(hosts) + (
        f"Host {names}\n"
        f"  User {disk.USER}\n"
        f"  IdentityFile {home / 'id_ed25519'}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {home / 'known_hosts'}\n"
        "  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking yes\n"
        "  ConnectTimeout 5\n"
        "  LogLevel ERROR\n"
    )


class Lab:
    """The commands of the lab. Each that changes something takes the instance's lock."""

    def __init__(self, instance: str | None = None, progress: Progress | None = None) -> None:
        self.instance = instance or os.environ.get("HEARTH_LAB") or network.DEFAULT_INSTANCE
        self.network = network.Network(self.instance)
        self.home = instance_directory(self.instance)
        self.progress = progress or Progress()
        self.key = self.home / "id_ed25519"
        self.ssh_config = self.home / "ssh_config"
        self._known_hosts = self.home / "known_hosts"
        self._runtime = runtime_directory(self.instance)

    def machine(self, name: str) -> Machine:
        return Machine(name, self.network, self.home, self._runtime)

    def existing(self, name: str) -> Machine:
        machine = self.machine(name)
        if not machine.exists:
            others = " ".join(other.name for other in self.machines()) or "none"
            raise LabError(f"lab {self.instance} has no machine {name}; it has: {others}")
        return machine

    def machines(self) -> list[Machine]:
        """Every machine that has a disk, in the order of their numbers."""
        # Beside the disks lie nspawn's lock files and, after a crash, an unfinished copy.
        names = [path.name for path in (self.home / "machines").glob("*") if network.NODE_NAME.fullmatch(path.name)]
        return [self.machine(name) for name in sorted(names, key=lambda name: int(self.network.address(name)))]

    def up(self, nodes: Sequence[str] = DEFAULT_NODES, *, fresh: bool = False) -> None:
        """Machines that are on are left alone, unless ``fresh``: then each begins as a newly written card."""
        requirements.require(requirements.MACHINES)
        machines = [self.machine(name) for name in dict.fromkeys(nodes)]
        self._refuse_shared_address(machines)
        with self._locked():
            wanted = [machine for machine in machines if fresh or not machine.is_on]
            network.bring_up(self.network)
            self._create([machine for machine in wanted if fresh or not machine.exists])
            self._boot(wanted)
        releases.serve_releases(self.instance)

    def down(self, *, keep_disks: bool = False) -> None:
        """Nothing of the instance stays, whatever state a crash left it in."""
        with self._locked():
            self._each([machine for machine in self.machines() if machine.is_on], "shutting down", Machine.shut_down)
            # What a crash left: machines that died by themselves, or run without a supervisor, or without a disk.
            for machine in self.machines():
                machine.power_cut()
            cgroups.kill(self.instance)
            cgroups.remove(self.instance)
            cgroups.remove()
            network.take_down(self.network)
            releases.stop_serving(self.instance)
            shutil.rmtree(self._runtime, ignore_errors=True)
            if not keep_disks:
                disk.remove(self.home)

    def start(self, node: str) -> None:
        machine = self.existing(node)
        with self._locked():
            network.bring_up(self.network)
            self._boot([machine])

    def reboot(self, node: str) -> None:
        machine = self.existing(node)
        with self._locked():
            self._each([machine], "rebooting", Machine.reboot)

    def power_cut(self, node: str) -> None:
        machine = self.existing(node)
        with self._locked():
            machine.power_cut()

    def wipe(self, node: str) -> None:
        """As a card that was written anew and put back: empty disk, new machine id, new host keys."""
        requirements.require(requirements.MACHINES)
        machine = self.machine(node)
        with self._locked():
            network.bring_up(self.network)
            self._create([machine])
            self._boot([machine])

    def status(self) -> list[MachineStatus]:
        return [self._status_of(machine) for machine in self.machines()]

    def _status_of(self, machine: Machine) -> MachineStatus:
        on = machine.is_on
        memory = cgroups.memory_in_use(machine.group) if on else None
        return MachineStatus(
            machine.name,
            machine.address,
            "on" if on else "off",
            on and machine.answers(),
            None if memory is None else memory >> 20,
        )

    def _create(self, machines: Sequence[Machine]) -> None:
        if not machines:
            return
        template = rootfs.template(self.progress)
        self._make_key()

        def create(machine: Machine) -> None:
            machine.power_cut()
            disk.remove(machine.disk)
            public_key = self.key.with_suffix(".pub").read_text()
            disk.create(
                machine.disk, template, disk.own_files(machine.name, self.network, disk.new_machine_id(), public_key)
            )

        self._each(machines, "writing the disk", create)

    def _boot(self, machines: Sequence[Machine]) -> None:
        self._describe_ssh()

        def boot(machine: Machine) -> None:
            machine.start()
            machine.wait_ready()

        self._each(machines, "booting", boot)

    def _each(self, machines: Sequence[Machine], text: str, action: Callable[[Machine], None]) -> None:
        def one(machine: Machine) -> None:
            with self.progress.step(machine.name, text):
                action(machine)

        if machines:
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(one, machines))

    def _make_key(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.key.exists():
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab-{self.instance}", "-f", str(self.key)],
                check=True,
            )

    def _describe_ssh(self) -> None:
        """An ssh_config and known_hosts that suit the present disks, for ssh, Ansible and testinfra alike."""
        machines = self.machines()
        keys = {f"{machine.address},{machine.name}": disk.host_public_keys(machine.disk) for machine in machines}
        self._known_hosts.write_text("".join(f"{names} {key}\n" for names, each in keys.items() for key in each))
        self.ssh_config.write_text(ssh_config({machine.name: machine.address for machine in machines}, self.home))

    def _refuse_shared_address(self, machines: Sequence[Machine]) -> None:
        seen: dict[str, str] = {}
        for machine in [*self.machines(), *machines]:
            other = seen.setdefault(machine.address, machine.name)
            if other != machine.name:
                raise LabError(
                    f"machines {other} and {machine.name} end in the same number and so share {machine.address}"
                )

    def _locked(self) -> AbstractContextManager[None]:
        """One changing command at a time; a second one waits and says so."""
        requirements.require([requirements.ROOT])
        waiting = self.progress.step("lab", f"waiting for another command on lab {self.instance}")
        return locks.exclusive(RUNTIME_ROOT / f"{self.instance}.lock", waiting)
