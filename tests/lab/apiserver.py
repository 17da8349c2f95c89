# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare Kubernetes API server on loopback: no root, no machine, up in seconds, and gone without a trace.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the upstream ones, built from their modules; nodes
and what runs on them are simulated by kwok, see ``simulation.py``. It is for all about packages that needs no real pod.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import builds, simulation
from tests.lab.authority import Authority
from tests.lab.children import Child
from tests.lab.errors import LabError
from tests.lab.etcd import Etcd

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
START_TIMEOUT = 60.0
DIRECTORY_PREFIX = "hearth-apiserver-"
OWNER = "owner.pid"
# Beyond this the garbage collector works harder, nothing is killed: a small machine has the tests to run as well.
MEMORY = {"GOMEMLIMIT": "600MiB", "GOGC": "50"}


class ApiServer:
    """One API server with simulated nodes. A context manager: ``with ApiServer() as server: ... server.kubeconfig``.

    Its processes end with the thread that started them, even when that is killed. The directory with certificates, data
    and logs is removed at the end, unless it shall be kept or the start failed.
    """

    def __init__(
        self,
        version: str = builds.NEWEST_K3S,
        *,
        nodes: int = 3,
        etcd_members: int = 1,
        keep: bool = False,
        api_flags: Sequence[str] = (),
    ) -> None:
        self.version = version
        self._api_flags = api_flags
        self._nodes = nodes
        self._etcd_members = etcd_members
        self._keep = keep
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        if not self._children:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Build what is missing, start every component, wait until pods can be created; ``with`` does it by itself."""
        programs = build_programs(self.version)
        remove_abandoned()
        self.directory = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
        (self.directory / OWNER).write_text(f"{os.getpid()}\n")
        self._bin = self.directory / "bin"
        self._bin.mkdir()
        for name, program in programs.items():
            (self._bin / name).symlink_to(program)
        self._port, *ports = free_ports(1 + 2 * self._etcd_members)
        self.etcd = Etcd(self.directory, list(zip(ports[::2], ports[1::2], strict=True)))
        self.url = f"https://127.0.0.1:{self._port}"
        try:
            self._issue_certificates()
            self._start_all()
        except BaseException:
            self._keep = True
            self.stop()
            print(f"the logs of the bare API server are kept in {self.directory}", file=sys.stderr)
            raise

    @property
    def kubeconfig(self) -> Path:
        """Of a cluster administrator; readable by this user alone."""
        return self.directory / "kubeconfig"

    @property
    def logs(self) -> list[Path]:
        return sorted(self.directory.glob("*.log"))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints; an error with its message if it fails."""
        done = subprocess.run(
            [
                self._bin / "kubectl",
                f"--kubeconfig={self.kubeconfig}",
                f"--cache-dir={self.directory}/cache",
                *arguments,
            ],
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def stop_api(self) -> None:
        """End the API server process alone, at once: its port then refuses connections. Everything else runs on."""
        self._children.pop("kube-apiserver").kill()

    def start_api(self) -> None:
        """Start it again on the same port, with the same data, and wait until it is ready."""
        self._start("kube-apiserver", self._apiserver_flags())
        self._wait("the API server", self._is_ready, "kube-apiserver")

    def restart_api(self) -> None:
        self.stop_api()
        self.start_api()

    def wait(self) -> None:
        """Return never, unless a component ends, which is an error that names it."""
        while True:
            for child in self._children.values():
                child.check()
            time.sleep(1)

    def stop(self) -> None:
        """End every process, the clients of the API server first, and remove the directory."""
        for child in reversed(self._children.values()):
            child.kill()
        self._children.clear()
        if self._keep:
            (self.directory / OWNER).unlink(missing_ok=True)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _issue_certificates(self) -> None:
        self._authority = Authority.create(self.directory / "pki")
        self._authority.issue_server()
        self._authority.issue_token_key()
        self._authority.issue_client("admin", "admin", "system:masters")
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(self._authority.kubeconfig("admin", self.url))

    def _start_all(self) -> None:
        for member in self.etcd.members:
            self._start(member.name, self.etcd.flags(member), program="etcd")
        self.start_api()
        self._start("kube-controller-manager", self._controller_manager_flags())
        self._start("kube-scheduler", [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"])
        self.kubectl("create", "--filename=-", "--validate=false", stdin=simulation.objects(self._nodes))
        stages = self.directory / "stages.yaml"
        stages.write_text(simulation.stages())
        self._start("kwok", self._kwok_flags(stages))
        self._wait("the simulated nodes", self._nodes_are_ready, "kwok")
        self._wait("the default service account", self._has_service_account, "kube-controller-manager")

    def _start(self, name: str, flags: list[str], program: str = "") -> None:
        command = [str(self._bin / (program or name)), *flags]
        self._children[name] = Child.start(name, command, self.directory, MEMORY)

    def _wait(self, what: str, ready: Callable[[], bool], child: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not ready():
            for running in self._children.values():
                running.check()
            if time.monotonic() > deadline:
                tail = self._children[child].tail()
                raise LabError(f"{what}: not ready after {START_TIMEOUT:.0f} s; the end of {child}.log:\n{tail}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        context = ssl.create_default_context(cafile=str(self.directory / "pki" / "ca.crt"))
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _nodes_are_ready(self) -> bool:
        path = '--output=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl("get", "nodes", path).split() == ["True"] * self._nodes

    def _has_service_account(self) -> bool:
        return "default" in self.kubectl("get", "serviceaccounts", "--output=name")

    def _apiserver_flags(self) -> list[str]:
        pki = self.directory / "pki"
        return [
            f"--etcd-servers={self.etcd.servers}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # loopback is no valid endpoint address
            f"--secure-port={self._port}",
            f"--tls-cert-file={pki / 'server.crt'}",
            f"--tls-private-key-file={pki / 'server.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.43.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'tokens.pub'}",
            f"--service-account-signing-key-file={pki / 'tokens.key'}",
            "--profiling=false",
            *self._api_flags,
        ]

    def _controller_manager_flags(self) -> list[str]:
        pki = self.directory / "pki"
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'tokens.key'}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--secure-port=0",
        ]

    def _kwok_flags(self, stages: Path) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--config={stages}",
            "--manage-all-nodes=true",
            "--cidr=10.42.0.0/16",
            "--node-ip=127.0.0.1",
            "--node-lease-duration-seconds=40",
        ]


def build_programs(version: str = builds.NEWEST_K3S) -> dict[str, Path]:
    """What an API server of this version runs, built if the cache has it not."""
    programs = dict.fromkeys(COMPONENTS, builds.build(builds.kubernetes(version)))
    return programs | {"kwok": builds.build(builds.PROGRAMS["kwok"])}


def remove_abandoned() -> None:
    """Directories of runs that were killed; what was kept on purpose has no owner."""
    for owner in Path(tempfile.gettempdir()).glob(f"{DIRECTORY_PREFIX}*/{OWNER}"):
        try:
            abandoned = not Path(f"/proc/{int(owner.read_text())}").exists()
        except (OSError, ValueError):
            continue  # it is another user's, or being made or removed right now
        if abandoned:
            shutil.rmtree(owner.parent, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on; all are held until the last is found, so that they differ."""
    sockets = [socket.socket() for _number in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def add_commands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "apiserver", help="a bare API server with simulated nodes, until Ctrl-C or until COMMAND ends; no root"
    )
    parser.add_argument(
        "--version", default=builds.NEWEST_K3S, choices=builds.K3S_VERSIONS, help="default: %(default)s"
    )
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes to simulate (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the directory with certificates, data and logs")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="run with KUBECONFIG set and kubectl on the PATH"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    with ApiServer(arguments.version, nodes=arguments.nodes, keep=arguments.keep) as server:
        seconds = time.monotonic() - started
        note = f"Kubernetes {server.version} with {arguments.nodes} simulated nodes, ready in {seconds:.1f} s"
        print(f"{note}\nexport KUBECONFIG={server.kubeconfig}", file=sys.stderr if arguments.command else sys.stdout)
        sys.stdout.flush()
        if arguments.command:
            path = f"{server.directory / 'bin'}:{os.environ['PATH']}"
            environment = os.environ | {"KUBECONFIG": str(server.kubeconfig), "PATH": path}
            return subprocess.run(arguments.command, env=environment, check=False).returncode
        try:
            server.wait()
        except KeyboardInterrupt:
            return 0
    return 0
