# SPDX-License-Identifier: GPL-3.0-or-later
"""The operating systems of a cluster that goes on serving: packages upgraded, machines started again, one at a time."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.drill import drill, killed
from tests.lab import playbook
from tests.lab.cluster import Cluster, psql
from tests.lab.machine import Machine

pytestmark = pytest.mark.lab

RESTART = ("-e", "reboot=always")
KILLED_WITHIN = (5.0, 60.0)
PACKAGE = "hearth-sample"
REPOSITORY = "/opt/hearth-sample"
MIRRORS = "/etc/apt/sources.list"
SOURCES = "/etc/apt/sources.list.d/hearth-sample.list"
CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: The hearth.cluster maintainers <hearth@example.org>
Description: A package that is there to be upgraded
"""
# It is given the former version, if there was one.
POSTINST = """#!/bin/sh
[ -n "$2" ] || exit 0
touch /run/reboot-required
echo "$DPKG_MAINTSCRIPT_PACKAGE" >> /run/reboot-required.pkgs
"""


def package(directory: Path, version: str) -> Path:
    """A real package that asks for a restart when it is upgraded."""
    root = directory / f"{PACKAGE}-{version}"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(CONTROL.format(name=PACKAGE, version=version))
    script = root / "DEBIAN/postinst"
    script.write_text(POSTINST)
    script.chmod(0o755)
    file = directory / f"{PACKAGE}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(root), str(file)], check=True, capture_output=True)
    return file


def index(file: Path, version: str) -> str:
    content = file.read_bytes()
    return CONTROL.format(name=PACKAGE, version=version) + (
        f"Filename: ./{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def put(machine: Machine, file: Path) -> None:
    """Beside what the machine has of them already."""
    take = f"sudo mkdir -p {REPOSITORY} && sudo tee {REPOSITORY}/{file.name} > /dev/null"
    subprocess.run([*machine.ssh_command(), "-T", machine.name, take], input=file.read_bytes(), check=True)


def installed(machine: Machine) -> str:
    return machine.ssh(f"dpkg-query --show --showformat='${{Version}}' {PACKAGE}", check=False).stdout


@pytest.fixture
def patched(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """On pi2 an old package, and a repository that has a newer one; no other source of packages anywhere."""
    for machine in cluster.lab.machines():
        machine.ssh(f"sudo mv {MIRRORS} {MIRRORS}.aside")
    machine, old, new = cluster.lab.machine("pi2"), package(tmp_path, "1.0"), package(tmp_path, "1.1")
    put(machine, old)
    machine.ssh(f"sudo dpkg --install {REPOSITORY}/{old.name}")
    put(machine, new)
    machine.ssh(f"sudo tee {REPOSITORY}/Packages > /dev/null", given=index(new, "1.1"))
    machine.ssh(f"echo 'deb [trusted=yes] file:{REPOSITORY} ./' | sudo tee {SOURCES} > /dev/null")
    yield cluster
    machine.ssh(f"sudo dpkg --purge {PACKAGE}; sudo rm -rf {REPOSITORY} {SOURCES}")
    for each in cluster.lab.machines():
        each.ssh(f"sudo mv {MIRRORS}.aside {MIRRORS}")


def boots(cluster: Cluster) -> dict[str, str]:
    return {machine.name: machine.boot_id for machine in cluster.lab.machines()}


def test_every_machine_is_patched_and_started_again_while_all_goes_on(patched: Cluster) -> None:
    psql(patched, "create table if not exists drills (name text); insert into drills values ('patch')")
    before = boots(patched)

    now = datetime.now()
    window = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    late = playbook.run("hearth.cluster.patch_os", "-e", f"window={window}")
    assert late.status == 0, late.output[-6000:]
    assert "pi2 is left for the next run" in " ".join(late.output.split())
    predicted = playbook.run("hearth.cluster.patch_os", "--check", *RESTART)
    assert predicted.status == 0, predicted.output[-6000:]
    assert f"pi2: evacuated first, and brought back, upgrades {PACKAGE}" in " ".join(predicted.output.split())
    assert boots(patched) == before
    assert installed(patched.lab.machine("pi2")) == "1.0"

    done = drill(patched, "patch_os", *RESTART, rolling=True, reboots=True, killed_within=KILLED_WITHIN)
    assert done.run.status == 0, done.run.output[-6000:]
    assert (done.seen.failed_requests, done.seen.api_gap) == (0, 0.0), done.seen.table()
    after = boots(patched)
    assert {name for name in before if after[name] != before[name]} == {"pi1", "pi2", "pi3"}
    assert installed(patched.lab.machine("pi2")) == "1.1"
    assert patched.out_of_service() == []
    assert "patch" in psql(patched, "select name from drills")

    again = playbook.run("hearth.cluster.patch_os")
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]
    assert boots(patched) == after


def test_a_node_that_needs_new_boot_files_starts_again_unnoticed(cluster: Cluster) -> None:
    before = boots(cluster)
    wish = ("-e", json.dumps({"raspberry_pi_command_line": {"present": {"panic": 10}}}), "--limit", "pi2")
    predicted = playbook.run("hearth.cluster.provision", *wish, "--check")
    assert predicted.status == 0, predicted.output[-6000:]
    assert "pi2: evacuated first, and brought back, restarts (new boot files)" in " ".join(predicted.output.split())
    assert boots(cluster) == before

    done = drill(cluster, "provision", *wish, rolling=True, reboots=True)
    assert done.run.status == 0, done.run.output[-6000:]
    assert (done.seen.failed_requests, done.seen.api_gap) == (0, 0.0), done.seen.table()
    assert {name for name, boot in boots(cluster).items() if before[name] != boot} == {"pi2"}
    assert "panic=10" in cluster.lab.machine("pi2").ssh("cat /proc/cmdline").stdout
    assert cluster.out_of_service() == []
    again = playbook.run("hearth.cluster.provision", *wish)
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(10))
def test_a_run_killed_at_any_moment_is_finished_by_the_next_one(patched: Cluster, turn: int) -> None:
    killed("patch_os", *RESTART, within=KILLED_WITHIN, turn=turn)
    for machine in patched.lab.machines():
        machine.wait_ready()  # it may be on its way down or up
    run = playbook.run("hearth.cluster.patch_os")
    assert run.status == 0, run.output[-6000:]
    assert patched.out_of_service() == []
    again = playbook.run("hearth.cluster.patch_os")
    assert (again.status, again.changes) == (0, ()), again.output[-6000:]
