# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine of the lab: switched on and off, cut from power, reached by SSH."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab import cgroups, disk, network, supervisor
from tests.lab.errors import LabError
from tests.lab.paths import REPOSITORY

SSH_PORT = 22
BOOT_LIMIT = 60.0
REBOOT_LIMIT = 180.0  # containers that ignore SIGTERM outlive k3s, and systemd waits for them before it lets go
SHUTDOWN_LIMIT = 20.0
POLL = 0.2

# Everything but the right to set the clock, which is the host's.
CAPABILITIES = ("--capability=all", "--drop-capability=CAP_SYS_TIME")
# What container runtimes and kubelet call and nspawn filters by default.
SYSTEM_CALLS = "--system-call-filter=@keyring bpf @raw-io"
NSPAWN_STATE = Path("/run/systemd/nspawn")
DEVICES = ("/dev/kmsg", "/dev/fuse")


class Machine:
    """A name, a disk, and whatever runs from it. Holds no state of its own: everything is asked of the host."""

    def __init__(self, name: str, net: network.Network, home: Path, runtime: Path) -> None:
        self.name = name
        self.network = net
        self.address = str(net.address(name))
        self.disk = home / "machines" / name
        self.log = home / "logs" / f"{name}.log"
        self.ssh_config = home / "ssh_config"
        self.group = f"{net.instance}/{name}"
        self._lock = runtime / f"{name}.power"
        self._nspawn_name = f"{net.instance}-{name}"

    @property
    def exists(self) -> bool:
        return self.disk.is_dir()

    @property
    def is_on(self) -> bool:
        return supervisor.holder(self._lock) is not None

    @property
    def boot_id(self) -> str:
        return self.ssh("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def start(self) -> None:
        """Switch on; does not wait. A machine that is on stays as it is."""
        if self.is_on:
            return
        if not self.exists:
            raise LabError(f"machine {self.name} has no disk; create it with: python -m tests.lab up {self.name}")
        self._cut()  # what a supervisor that was killed alone has left
        disk.write_resolv_conf(self.disk, network.name_servers())
        for directory in (self.log.parent, self._lock.parent):
            directory.mkdir(parents=True, exist_ok=True)
        power = supervisor.Power(self.group, str(self._lock), str(self.log), self._boot_command())
        supervisor.switch_on(power, REPOSITORY)

    def shut_down(self) -> None:
        """An orderly shutdown within a short limit; after that, the plug."""
        pid = supervisor.holder(self._lock)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(LabError):
                self._wait(lambda: not self.is_on, SHUTDOWN_LIMIT, "shut down", on=False)
        self.power_cut()

    def power_cut(self) -> None:
        """Off at once; the disk stays as it is at this moment."""
        pid = supervisor.holder(self._lock)
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)  # its whole session: a boot that has only begun is not yet in the group
        self._cut()

    def reboot(self) -> None:
        """As ``systemctl reboot`` on the machine; comes back when the new boot answers."""
        before = self.boot_id
        self.ssh("sudo systemctl reboot", check=False)
        self._wait(lambda: self._new_boot(before), REBOOT_LIMIT, "reboot")

    def wait_ready(self) -> None:
        """Until a person could log in."""
        self._wait(lambda: self._greets() and self.answers(), BOOT_LIMIT, "answer to SSH")

    def answers(self) -> bool:
        return self.ssh("true", check=False).returncode == 0

    def ssh(self, command: str, *, check: bool = True, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one shell command line as user pi."""
        done = subprocess.run(
            [*self.ssh_command(), "-T", self.name, command], input=given, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {command}: status {done.returncode}: {done.stderr.strip()}")
        return done

    def ssh_command(self) -> list[str]:
        return ["ssh", "-F", str(self.ssh_config)]

    def last_words(self, lines: int = 10) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _cut(self) -> None:
        cgroups.kill(self.group)
        cgroups.remove(self.group)
        # The kernel takes down the network of a machine that ran containers long after its last process.
        network.remove_link(f"vb-{self.network.instance}-{self.name}")
        self._lock.unlink(missing_ok=True)
        # nspawn leaves these on the host, at the latest when it is killed.
        shutil.rmtree(NSPAWN_STATE / "propagate" / self._nspawn_name, ignore_errors=True)
        if self.exists:
            disk_id = self.disk.stat()
            (NSPAWN_STATE / "locks" / f"inode-{disk_id.st_dev}:{disk_id.st_ino}").unlink(missing_ok=True)

    def _boot_command(self) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.disk}",
            f"--machine={self._nspawn_name}",
            f"--hostname={self.name}",
            "--boot",
            f"--network-bridge={self.network.bridge}",
            *CAPABILITIES,
            SYSTEM_CALLS,
            *(f"--bind={device}" for device in DEVICES if Path(device).exists()),
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
            # The host's systemd-machined, if there is one, has no part in this.
            "--register=no",
            "--keep-unit",
        ]

    def _greets(self) -> bool:
        """A first, cheap look: something answers on the SSH port."""
        try:
            with socket.create_connection((self.address, SSH_PORT), timeout=1) as connection:
                connection.settimeout(2)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _new_boot(self, before: str) -> bool:
        if not self._greets():
            return False
        answer = self.ssh("cat /proc/sys/kernel/random/boot_id", check=False)
        return answer.returncode == 0 and answer.stdout.strip() != before

    def _wait(self, done: Callable[[], bool], limit: float, what: str, *, on: bool = True) -> None:
        """``on``: the machine must stay on meanwhile, or waiting longer is of no use."""
        deadline = time.monotonic() + limit
        while not done():
            console = f"the end of its console ({self.log}):\n{self.last_words()}"
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not {what} within {limit:.0f}s; {console}")
            if on and not self.is_on:
                raise LabError(f"{self.name} went off before it could {what}; {console}")
            time.sleep(POLL)
